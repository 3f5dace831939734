// Starts the program once more, as a worker. What starts the worker sends the address of the program's
// script and the compiled program, so that the browser loads and compiles it only once.
onmessage = async ({ data: [script, program] }) => {
  onmessage = null;
  try {
    const { default: init } = await import(script);
    await init({ module_or_path: program });
  } catch (error) {
    reportError(error);
  }
};
