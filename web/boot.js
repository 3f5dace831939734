// Starts the page's wasm program. A file of its own because the policy refuses inline scripts; trunk says in data attributes what to start.

// Text from outside never becomes markup or the address of a script. The page's own templates contain nothing that runs, and these are its only scripts.
const SCRIPTS = ["/worker.js", "/sw.js"];
const RUNS = /<\s*(script|iframe|object|embed|base|meta|link|style)|\son\w+\s*=|javascript:/i;
globalThis.trustedTypes?.createPolicy("default", {
  createHTML: markup => (RUNS.test(markup) ? null : markup),
  createScriptURL: address => (SCRIPTS.includes(address) ? address : null),
});

const { js, wasm } = document.querySelector("script[data-js]").dataset;
const stored = key => {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    // The browser stores nothing for this page.
    return null;
  }
};
// Before the program is loaded, so that the page does not appear in other colours or in another language first. See `preferences.rs`.
const page = document.documentElement;
page.dataset.theme = stored("aqueduct.theme") ?? "system";
const preferred = navigator.languages.map(tag => tag.split("-")[0].toLowerCase()).find(tag => ["en", "de"].includes(tag));
page.lang = { english: "en", german: "de" }[stored("aqueduct.language")] ?? preferred ?? "en";
// English is what it contains.
for (const text of document.querySelectorAll("#early [data-de]")) text.textContent = text.dataset[page.lang] ?? text.textContent;
try {
  const { default: init } = await import(js);
  await init({ module_or_path: wasm });
} catch (error) {
  // A browser that is too old compiles no such program.
  document.querySelector("#failed")?.removeAttribute("hidden");
  throw error;
}
