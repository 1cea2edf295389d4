"""Opens the page of Orchestra: `python app.py`."""

if __name__ == "__main__":
    from orchestra_app.ui.start import main

    main()
