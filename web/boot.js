// Starts the page's wasm program. A file of its own because the policy refuses inline scripts; trunk says in data attributes what to start.
const { js, wasm } = document.querySelector("script[data-js]").dataset;
const { default: init } = await import(js);
await init({ module_or_path: wasm });
