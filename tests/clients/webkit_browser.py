#!/usr/bin/python3
"""A browser of WebKitGTK that WebKitWebDriver controls: webkit_browser.py PROFILE DOWNLOADS

MiniBrowser, which comes with WebKitGTK, keeps nothing between pages when it is controlled, and its
command line cannot switch on the storage interfaces that WebKitGTK, unlike Safari, leaves off.

PROFILE is the folder for what pages store; files are saved to the folder DOWNLOADS. Messages on the
console of pages are printed: "CONSOLE <source> <level> <text>".
"""

import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import GLib, Gtk, WebKit2  # noqa: E402

# What Safari has and WebKitGTK 2.50 has switched off.
FEATURES = {"AccessHandle", "FileSystem", "StorageAPI", "StorageAPIEstimate"}


def settings():
    made = WebKit2.Settings(enable_write_console_messages_to_stdout=True)
    known = WebKit2.Settings.get_all_features()
    for feature in (known.get(index) for index in range(known.get_length())):
        if feature.get_identifier() in FEATURES:
            made.set_feature_enabled(feature, True)
    return made


def main(profile, downloads):
    storage = WebKit2.WebsiteDataManager(
        base_data_directory=f"{profile}/data", base_cache_directory=f"{profile}/cache"
    )
    context = WebKit2.WebContext(website_data_manager=storage)
    shared = settings()

    def open_view(_session):
        window = Gtk.Window(default_width=1200, default_height=900)
        view = WebKit2.WebView(
            web_context=context, settings=shared, is_controlled_by_automation=True
        )
        view.connect("close", lambda _view: window.destroy())
        window.add(view)
        window.show_all()
        return view

    def handle_session(_context, session):
        session.connect("create-web-view", open_view)

    def choose_place(download, name):
        download.set_destination(GLib.filename_to_uri(f"{downloads}/{name}", None))
        return True

    def handle_download(_context, download):
        download.connect("decide-destination", choose_place)

    context.connect("automation-started", handle_session)
    context.connect("download-started", handle_download)
    context.set_automation_allowed(True)
    Gtk.main()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
