"""Opens the page of Orchestra: `python app.py`."""

from orchestra_app.ui.app import main

if __name__ == "__main__":
    main()
