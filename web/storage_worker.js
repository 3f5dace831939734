// Starts the program as the storage worker, which it recognises by the worker's name. It is a script
// of its own because a worker's policy is that of its script: this one connects nowhere.
import "./worker.js";
