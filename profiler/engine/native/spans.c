#include "spans.h"

#include <stdbool.h>

#include "clock.h"
#include "context.h"
#include "strands.h"

enum { TEXT_MAX = 10000 };

/* What is wrong in our own Python code is not the application's trouble. An interrupt that happened
 * to hit it is, and is raised again as soon as the application goes on. */
void span_clear_error(void) {
    bool interrupt = PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt);
    PyErr_Clear();
    if (interrupt) PyErr_SetInterrupt();
}

/* A text of bounded length is kept as it is; anything else is made one by Python. */
static PyObject *as_text(SpanState *st, PyObject *given) {
    if (PyUnicode_CheckExact(given) && PyUnicode_GET_LENGTH(given) <= TEXT_MAX)
        return Py_NewRef(given);
    PyObject *text = PyObject_CallOneArg(st->text, given);
    if (text) return text;
    span_clear_error();
    return Py_NewRef(st->empty);
}

static SpanObject *make(SpanState *st, SpanQueue *log, SpanObject *parent, const SpanWish *wish) {
    SpanObject *self = (SpanObject *)st->type->tp_alloc(st->type, 0);
    if (!self) {
        span_clear_error();
        return (SpanObject *)Py_NewRef(st->nothing);
    }
    self->magic = SPAN_MAGIC;
    self->parent = (SpanObject *)Py_XNewRef(parent);
    self->is_root = wish->is_transaction || !parent;
    self->log = (SpanQueue *)Py_NewRef(log);
    self->name = as_text(st, wish->name);
    self->op = as_text(st, wish->op);
    self->description = as_text(st, wish->description);
    self->status = Py_NewRef(st->empty);
    self->thread_ident = PyThread_get_thread_ident();
    self->start_ns = clock_now_ns();
    return self;
}

SpanObject *span_active(SpanState *st) {
    PyObject *value = NULL;
    if (PyContextVar_Get(st->variable, NULL, &value) < 0) span_clear_error();
    if (value && PyType_IsSubtype(Py_TYPE(value), st->type)) return (SpanObject *)value;
    Py_XDECREF(value);
    return NULL;
}

/* The given span, or the nearest around it that is open. Steals the reference, gives one. */
static SpanObject *open_one(SpanObject *span) {
    while (span && span->end_ns) {
        SpanObject *parent = (SpanObject *)Py_XNewRef(span->parent);
        Py_DECREF(span);
        span = parent;
    }
    return span;
}

/* A span outside of any transaction is one itself, by the name that it will have. */
static PyObject *name_of(SpanState *st, const SpanWish *wish) {
    if (wish->is_transaction) return as_text(st, wish->name);
    PyObject *name = as_text(st, wish->description);
    if (PyUnicode_GET_LENGTH(name)) return name;
    Py_DECREF(name);
    return as_text(st, wish->op);
}

static int is_chosen(SpanState *st, const SpanWish *wish) {
    if (st->decide) {
        PyObject *name = name_of(st, wish), *op = as_text(st, wish->op);
        PyObject *tags = wish->hint ? wish->hint : wish->tags ? wish->tags : Py_None;
        PyObject *answer = PyObject_CallFunctionObjArgs(st->decide, name, op, tags, NULL);
        int chosen = answer ? PyObject_IsTrue(answer) : 1;
        if (!answer || chosen < 0) span_clear_error();
        Py_XDECREF(answer);
        Py_DECREF(name);
        Py_DECREF(op);
        return chosen != 0;
    }
    if (st->rate >= 1) return 1;
    st->random ^= st->random << 13; /* xorshift64 (Marsaglia 2003) */
    st->random ^= st->random >> 7;
    st->random ^= st->random << 17;
    return (double)(st->random >> 11) / 9007199254740992.0 < st->rate;
}

/* A transaction that is not recorded, so that what is opened inside of it is not either. */
static SpanObject *mark(SpanState *st, SpanQueue *log, long long id, const SpanWish *wish) {
    SpanObject *span = make(st, log, NULL, wish);
    if (span != st->nothing) span->id = id;
    return span;
}

static void count_open(SpanObject *span) {
    SpanQueue *log = span->log;
    span->counted = log->generation;
    if (++log->open > log->most_open) log->most_open = log->open;
    log->text += PyUnicode_GET_LENGTH(span->name) + PyUnicode_GET_LENGTH(span->op) +
                 PyUnicode_GET_LENGTH(span->description);
    if (span->is_root) gate_enter(&log->gate);
}

/* False: it was not counted, or only before a fork. */
static bool count_closed(SpanObject *span) {
    bool counted = span->counted == span->log->generation;
    span->counted = 0;
    if (!counted) return false;
    span->log->open--;
    if (span->is_root) gate_leave(&span->log->gate);
    return true;
}

static void set_tags(SpanState *st, SpanObject *span, PyObject *tags) {
    PyObject *done = PyObject_CallFunctionObjArgs(st->tag, span, tags, NULL);
    if (!done) span_clear_error();
    Py_XDECREF(done);
}

void span_reopen(SpanObject *span) {
    if (span->id <= 0 || span->end_ns || !span->log) return;
    span->told = 0; /* to its parent's file, if at all */
    if (pile_add(&span->log->opened, (PyObject *)span)) count_open(span);
}

SpanObject *span_begin(SpanState *st, const SpanWish *wish) {
    if (!st->log) return (SpanObject *)Py_NewRef(st->nothing);
    SpanQueue *log = (SpanQueue *)Py_NewRef(st->log); /* whatever is called may end the recording */
    SpanObject *around = span_active(st), *span;
    /* One left over from an earlier recording, or closed elsewhere, is not around this one. */
    if (around && around->log != log) Py_CLEAR(around);
    around = open_one(around);
    SpanObject *parent = wish->is_transaction ? NULL : around;
    if (parent && parent->id <= 0) {
        log->dropped += parent->id == SPAN_DROPPED;
        span = (SpanObject *)Py_NewRef(st->nothing);
    } else if (!parent && !is_chosen(st, wish)) {
        log->unchosen++;
        span = mark(st, log, SPAN_UNCHOSEN, wish);
    } else if (!spanqueue_has_room(log)) {
        span = parent ? (SpanObject *)Py_NewRef(st->nothing) : mark(st, log, SPAN_DROPPED, wish);
    } else {
        /* When a transaction inside of another is over, the outer one is active again. */
        if (!parent && around && around->is_root) around->parent = open_one(around->parent);
        span = make(st, log, around, wish);
        if (span != st->nothing && pile_add(&log->opened, (PyObject *)span)) {
            span->id = ++st->last_id;
            count_open(span);
            if (wish->tags) set_tags(st, span, wish->tags);
        }
    }
    Py_XDECREF(around);
    Py_DECREF(log);
    return span;
}

static void tell(PyObject *function, PyObject *what) {
    PyObject *done = PyObject_CallOneArg(function, what);
    if (!done) span_clear_error();
    Py_XDECREF(done);
}

/* Note in which task or greenlet a transaction goes on, and which of its spans is the innermost
 * there. It is noted before samples can name the span. */
static void note_strand(SpanState *st, SpanObject *span, int is_named) {
    if (span->id <= 0) return;
    if (!span->strand) {
        span->strand = span->is_root ? strands_open(span->id, span->start_ns) : span->parent->strand;
        if (span->is_root) {
            if (is_named && span->strand && st->name_task) tell(st->name_task, (PyObject *)span);
            return;
        }
    }
    if (span->strand) strands_enter(span->strand, span->id);
}

static void leave_strand(SpanObject *span, const SpanObject *active) {
    while (active && active->end_ns) active = active->is_root ? NULL : active->parent;
    if (span->strand && active) strands_leave(span->strand, span->id, active->id);
}

/* A span has become the active one of this thread. */
static void span_entered(SpanState *st, SpanObject *span) {
    if (st->entered) tell(st->entered, (PyObject *)span);
}

/* `span` is the active one no longer; now it is `active` (NULL: none). */
static void span_left(SpanState *st, SpanObject *span, SpanObject *active) {
    if (active && active->strand == span->strand) leave_strand(span, active);
    if (st->left) tell(st->left, active ? (PyObject *)active : Py_None);
}

PyObject *span_activate(SpanState *st, SpanObject *span, int is_named) {
    note_strand(st, span, is_named);
    PyObject *token = PyContextVar_Set(st->variable, (PyObject *)span);
    if (!token) {
        span_clear_error();
        return NULL;
    }
    span_entered(st, span);
    return token;
}

static void set_active(SpanState *st, SpanObject *span) {
    PyObject *value = span ? (PyObject *)span : Py_None;
    PyObject *token = PyContextVar_Set(st->variable, value);
    if (!token) span_clear_error();
    Py_XDECREF(token);
}

/* `active` is the one here now: steals the reference. */
static void settle(SpanState *st, SpanObject *span, SpanObject *active) {
    if (active && active->end_ns) {
        active = open_one(active);
        set_active(st, active);
    }
    span_left(st, span, active);
    Py_XDECREF(active);
}

/* False: it was entered in another context, and there is nothing to restore here. */
static bool reset(SpanState *st, SpanObject *span, PyObject *token) {
    if (PyContextVar_Reset(st->variable, token) == 0) return true;
    span_clear_error();
    set_active(st, span->parent);
    return false;
}

void span_restore(SpanState *st, SpanObject *span, PyObject *token, SpanObject *before) {
    if (!reset(st, span, token)) Py_XSETREF(before, span_active(st));
    settle(st, span, before);
}

void span_deactivate(SpanState *st, SpanObject *span, PyObject *token) {
    SpanObject *active = span_active(st);
    if (active == span) {
        reset(st, span, token);
        Py_DECREF(active);
        active = span_active(st);
    }
    settle(st, span, active);
}

void span_finish(SpanState *st, SpanObject *span, PyObject *error) {
    if (!span->log || span->end_ns) return;
    span->end_ns = clock_now_ns();
    PyObject *status = span->status && span->status != Py_None ? span->status : st->empty;
    status = as_text(st, status);
    if (error != Py_None && !PyUnicode_GET_LENGTH(status)) Py_SETREF(status, Py_NewRef(st->error));
    Py_XSETREF(span->status, status);
    if (span->is_root) strands_close(span->strand);
    else leave_strand(span, span->parent);
    if (count_closed(span) && !span->log->ended) pile_add(&span->log->closed, (PyObject *)span);
}
