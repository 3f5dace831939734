// Starts the worker's program as the storage worker, which it recognises by the worker's name. It is
// a script of its own because a worker's policy is that of its script: this one connects nowhere.
import init from './worker.js';

// The engine's worker sends its compiled program, so that the browser holds it only once.
onmessage = ({ data }) => {
  onmessage = null;
  init({ module_or_path: data }).catch(reportError);
};
