// Runs before anything is painted, so that the page never appears in other colours or in another language first. It also says so if the program that
// follows cannot start.
"use strict";

{
  /** The languages of the page (BCP 47). */
  const LANGUAGES = ["en", "de"];

  /** What the user chose, if it is stored. See `preferences.rs`. */
  const stored = key => {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      // The browser stores nothing for this page.
      return null;
    }
  };
  const page = document.documentElement;
  page.dataset.theme = stored("aqueduct.theme") ?? "system";
  const preferred = [stored("aqueduct.language"), ...navigator.languages].map(tag => String(tag).split("-")[0].toLowerCase());
  page.lang = preferred.find(tag => LANGUAGES.includes(tag)) ?? "en";

  // A script that cannot be loaded, that the browser is too old for, or whose program stops. The running program has replaced the message.
  const fail = ({ target }) => {
    if (target === window || target.localName === "script") document.getElementById("failed")?.removeAttribute("hidden");
  };
  addEventListener("error", fail, true);
  addEventListener("unhandledrejection", fail);
}
