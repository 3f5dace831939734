// Starts the page's wasm program. A file of its own because the policy refuses inline scripts; trunk says in data attributes what to start.

// Text from outside never becomes markup or the address of a script. The page's own templates contain nothing that runs, and these are its only scripts.
const SCRIPTS = ["/worker.js", "/sw.js"];
const RUNS = /<\s*(script|iframe|object|embed|base|meta|link|style)|\son\w+\s*=|javascript:/i;
globalThis.trustedTypes?.createPolicy("default", {
  createHTML: markup => (RUNS.test(markup) ? null : markup),
  createScriptURL: address => (SCRIPTS.includes(address) ? address : null),
});

const { js, wasm } = document.querySelector("script[data-js]").dataset;
const { default: init } = await import(js);
await init({ module_or_path: wasm });
