"""Opens the page of Orchestra: `python app.py`."""

import gc

if __name__ == "__main__":
    # What is loaded stays, so looking for garbage in it would only delay the page; `main` turns it on again.
    gc.disable()
    from orchestra_app.ui.app import main

    main()
