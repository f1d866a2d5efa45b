// How a program adds the algorithms to an Essentia that it has loaded or is linked to.
#pragma once

extern "C" {

// Adds OnnxPredictMAEST and OnnxPredict2D to both of Essentia's factories, once. Where Essentia has
// an algorithm of one of these names, it stays. In any case ours are there as MaestOnnxPredictMAEST
// and MaestOnnxPredict2D as well. Call it after essentia::init() and not while another thread uses
// a factory: Essentia's are not thread-safe. `onnxruntime` is the path of a libonnxruntime; null or
// empty is the one that the environment variable ESSENTIA_MAEST_ONNXRUNTIME names or else the
// system's libonnxruntime.so. It is opened with the first model. Returns null, or a text that says
// what went wrong.
const char* essentia_maest_register(const char* onnxruntime);

// Takes the answer to EssentiaMaestFindModel: the path of a model file, or else what is wrong.
typedef void (*EssentiaMaestTakeAnswer)(void* answer, const char* path, const char* problem);

// Says which file a `graphFilename` stands for: calls `take(answer, ...)` once, before it returns.
typedef void (*EssentiaMaestFindModel)(const char* name, EssentiaMaestTakeAnswer take,
                                       void* answer);

// For a program that knows models by names, as Python does "default". Null, as at first: a
// `graphFilename` is a path. May be called from any thread that configures an algorithm.
void essentia_maest_use_model_names(EssentiaMaestFindModel find);

// Functions of CPython, handed over so that nothing here is linked to it.
struct EssentiaMaestPython {
  int (*holds_turn)();                                                   // PyGILState_Check
  void* (*give_turn_away)();                                             // PyEval_SaveThread
  void (*take_turn)(void* thread);                                       // PyEval_RestoreThread
  int (*check_signals)();                                                // PyErr_CheckSignals
  void (*fetch_exception)(void** type, void** value, void** traceback);  // PyErr_Fetch
  void (*restore_exception)(void* type, void* value, void* traceback);   // PyErr_Restore
  int (*is_ending)();                                                    // Py_IsFinalizing
  void* (*call)(void* function, const char* format, ...);                // PyObject_CallFunction
  long (*as_long)(void* number);                                         // PyLong_AsLong
  void (*release)(void* object);                                         // Py_DecRef
  void (*clear_exception)();                                             // PyErr_Clear
  void* set_wakeup_fd;                                                   // signal.set_wakeup_fd
  void* main_thread;  // the ident of threading.main_thread(), a pthread_t
};

// For Python: its other threads run while standard mode computes, and signals, such as Ctrl-C's,
// end a long computation.
void essentia_maest_use_python(const EssentiaMaestPython* python);

// For the end of a program whose threads may still compute: waits for them, and lets none begin.
void essentia_maest_end();

// For Python, after an error: raises the exception by which a signal ended the computation, if one
// did.
void essentia_maest_raise_interruption();
}
