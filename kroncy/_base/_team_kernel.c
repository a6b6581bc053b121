#include "_team_kernel.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "_openmp.h"

/* Nanoseconds, measured by benchmarks/scripts/load.py. */
static int64_t worth_sharing = 8000; /* work that a helper which is awake gains from */
static int64_t worth_waking = 60000; /* and one that sleeps: it begins some 20 us later */
enum { SPIN = 50000 };      /* a wait that keeps the core; after it the thread sleeps */
enum { RECOVERY = 10 };     /* lost time is at most a tenth of the time without helpers after it */
enum { PIECES = 16 };       /* of a loop, for each thread */

#define LINE __attribute__((aligned(64)))

/* The state of a loop is one number, so that it changes as a whole: its serial number, the threads
 * that may take part, whether helpers may still join, whether the caller sleeps until those that
 * have joined are through, and how many these are. */
typedef uint64_t loop_state;
#define MEMBERS(state) ((state)&0x7fff)
#define SLEEPING ((loop_state)1 << 15)
#define OPEN ((loop_state)1 << 16)
#define LIMIT(state) ((int)((state) >> 17 & 0x7fff))
#define SERIAL(state) ((uint32_t)((state) >> 32))

typedef struct helper helper;

typedef struct {
    LINE loop_state state;
    LINE int64_t next;      /* the first index that nobody has taken */
    LINE kroncy_body body; /* what follows is read by members only, and written while there are none */
    void *context;
    int64_t n, piece;
    LINE int sleepers;      /* helpers that sleep, or are about to */
    pthread_mutex_t lock;
    pthread_cond_t posted, finished;
    int quit;
    /* the caller's own */
    int64_t alone_until;    /* time before which it takes no helpers */
    int busy, n_helpers, capacity;
    helper **helpers;
} team;

struct helper {
    team *team;
    pthread_t id;
    int thread;
    int inside;             /* whether it takes part in a loop */
    int64_t computed;       /* the caller's: processor time of the helper when the wait began */
};

static __thread team *own_team;
static __thread int is_helper;
static int n_running; /* teams that share a loop now */
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int64_t nanoseconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void pause_core(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

/* One round of waiting since `begin`; whether it is time to sleep.  Not to yield: Linux takes a whole
 * slice of time from a thread that yields, and a thread that wakes is preferred. */
static int wait_awake(int64_t begin) {
    for (int i = 0; i < 16; i++) pause_core();
    return nanoseconds(CLOCK_MONOTONIC) - begin > SPIN;
}

static void take_pieces(team *t, int thread) {
    const int64_t n = t->n, piece = t->piece;
    for (;;) {
        const int64_t begin = __atomic_fetch_add(&t->next, piece, __ATOMIC_RELAXED);
        if (begin >= n) return;
        const int64_t end = begin + piece < n ? begin + piece : n;
        for (int64_t i = begin; i < end; i++) t->body(t->context, i, thread);
    }
}

/* ---- helpers ---- */

static loop_state await_loop(team *t, uint32_t seen) {
    const int64_t begin = nanoseconds(CLOCK_MONOTONIC);
    loop_state state;
    do {
        state = __atomic_load_n(&t->state, __ATOMIC_ACQUIRE);
        if (SERIAL(state) != seen) return state;
    } while (!wait_awake(begin));
    pthread_mutex_lock(&t->lock);
    __atomic_fetch_add(&t->sleepers, 1, __ATOMIC_SEQ_CST);
    while (SERIAL(state = __atomic_load_n(&t->state, __ATOMIC_SEQ_CST)) == seen && !t->quit)
        pthread_cond_wait(&t->posted, &t->lock);
    __atomic_fetch_sub(&t->sleepers, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&t->lock);
    return state;
}

static void leave_loop(helper *self) {
    team *t = self->team;
    __atomic_store_n(&self->inside, 0, __ATOMIC_RELAXED);
    const loop_state before = __atomic_fetch_sub(&t->state, 1, __ATOMIC_ACQ_REL);
    if (MEMBERS(before) == 1 && before & SLEEPING) {
        pthread_mutex_lock(&t->lock);
        pthread_cond_signal(&t->finished);
        pthread_mutex_unlock(&t->lock);
    }
}

static void *serve(void *argument) {
    helper *self = argument;
    team *t = self->team;
    uint32_t seen = 0;
    is_helper = 1;
    for (;;) {
        loop_state state = await_loop(t, seen);
        if (SERIAL(state) == seen) return NULL; /* the team ends */
        seen = SERIAL(state);
        while (SERIAL(state) == seen && state & OPEN && self->thread < LIMIT(state))
            if (__atomic_compare_exchange_n(&t->state, &state, state + 1, 1, __ATOMIC_ACQ_REL,
                                            __ATOMIC_ACQUIRE)) {
                __atomic_store_n(&self->inside, 1, __ATOMIC_RELAXED);
                take_pieces(t, self->thread);
                leave_loop(self);
                break;
            }
    }
}

/* ---- the life of a team ---- */

static void end_team(void *argument) {
    team *t = argument;
    if (kroncy_forked) return; /* its helpers are in another process */
    pthread_mutex_lock(&t->lock);
    t->quit = 1;
    pthread_cond_broadcast(&t->posted);
    pthread_mutex_unlock(&t->lock);
    for (int i = 0; i < t->n_helpers; i++) {
        pthread_join(t->helpers[i]->id, NULL);
        free(t->helpers[i]);
    }
    pthread_cond_destroy(&t->posted);
    pthread_cond_destroy(&t->finished);
    pthread_mutex_destroy(&t->lock);
    free(t->helpers);
    free(t);
    own_team = NULL;
}

static void make_key(void) { pthread_key_create(&at_exit, end_team); }

/* The team of the calling thread, with helpers for n_threads if the system gives them. */
static team *find_team(int n_threads) {
    team *t = own_team;
    if (!t) {
        pthread_once(&once, make_key);
        t = aligned_alloc(64, (sizeof(team) + 63) / 64 * 64);
        if (!t) return NULL;
        *t = (team){0};
        pthread_mutex_init(&t->lock, NULL);
        pthread_cond_init(&t->posted, NULL);
        pthread_cond_init(&t->finished, NULL);
        if (pthread_setspecific(at_exit, t)) {
            free(t);
            return NULL;
        }
        own_team = t;
    }
    if (t->capacity < n_threads - 1) {
        helper **helpers = realloc(t->helpers, (n_threads - 1) * sizeof *helpers);
        if (!helpers) return t;
        t->helpers = helpers;
        t->capacity = n_threads - 1;
    }
    if (t->n_helpers < n_threads - 1) {
        sigset_t all, before;   /* signals are for the threads that the process made itself */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        while (t->n_helpers < n_threads - 1) {
            helper *h = malloc(sizeof *h);
            if (!h) break;
            h->team = t;
            h->thread = t->n_helpers + 1;
            h->inside = 0;
            if (pthread_create(&h->id, NULL, serve, h)) {
                free(h);
                break;
            }
            t->helpers[t->n_helpers++] = h;
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return t;
}

/* ---- a loop ---- */

/* Processor time of a helper, in nanoseconds; -1 where the system does not tell. */
static int64_t processor_time(const helper *h) {
#ifdef __linux__
    clockid_t clock;
    if (!pthread_getcpuclockid(h->id, &clock)) return nanoseconds(clock);
#endif
    (void)h;
    return -1;
}

/* Sleep until no helper is inside a piece: one without a core gets that of the caller. */
static void sleep_until_left(team *t) {
    const int64_t begin = nanoseconds(CLOCK_MONOTONIC);
    for (int i = 0; i < t->n_helpers; i++) {
        helper *h = t->helpers[i];
        h->computed = __atomic_load_n(&h->inside, __ATOMIC_RELAXED) ? processor_time(h) : -1;
    }
    pthread_mutex_lock(&t->lock);
    loop_state state = __atomic_or_fetch(&t->state, SLEEPING, __ATOMIC_ACQ_REL);
    while (MEMBERS(state)) {
        pthread_cond_wait(&t->finished, &t->lock);
        state = __atomic_load_n(&t->state, __ATOMIC_ACQUIRE);
    }
    pthread_mutex_unlock(&t->lock);
    /* The wait was for the piece if one of them computed all the time, else for a core. */
    const int64_t now = nanoseconds(CLOCK_MONOTONIC);
    int64_t lost = -1;
    for (int i = 0; i < t->n_helpers; i++) {
        const helper *h = t->helpers[i];
        if (h->computed < 0) continue;
        const int64_t idle = now - begin - (processor_time(h) - h->computed);
        if (lost < 0 || idle < lost) lost = idle;
    }
    if (lost > SPIN) t->alone_until = now + RECOVERY * lost;
}

/* No helper joins any more; wait for those that have. */
static void await_members(team *t) {
    if (!MEMBERS(__atomic_and_fetch(&t->state, ~OPEN, __ATOMIC_ACQ_REL))) return;
    const int64_t begin = nanoseconds(CLOCK_MONOTONIC);
    while (MEMBERS(__atomic_load_n(&t->state, __ATOMIC_ACQUIRE))) {
        if (wait_awake(begin)) {
            sleep_until_left(t);
            return;
        }
    }
}

static void run_alone(int64_t n, kroncy_body body, void *context) {
    for (int64_t i = 0; i < n; i++) body(context, i, 0);
}

void kroncy_share_from(int64_t *sharing, int64_t *waking) {
    *sharing = __atomic_exchange_n(&worth_sharing, *sharing, __ATOMIC_RELAXED);
    *waking = __atomic_exchange_n(&worth_waking, *waking, __ATOMIC_RELAXED);
}

/* A loop that helpers may join. */
static void share(team *t, int n_threads, int64_t n, double work, kroncy_body body, void *context) {
    t->busy = 1;
    t->body = body;
    t->context = context;
    t->n = n;
    t->piece = n / ((int64_t)n_threads * PIECES) + 1;
    __atomic_store_n(&t->next, 0, __ATOMIC_RELAXED);
    const loop_state serial = SERIAL(__atomic_load_n(&t->state, __ATOMIC_RELAXED)) + 1u;
    __atomic_store_n(&t->state, serial << 32 | (loop_state)n_threads << 17 | OPEN,
                     __ATOMIC_SEQ_CST);
    if (work >= __atomic_load_n(&worth_waking, __ATOMIC_RELAXED) &&
        __atomic_load_n(&t->sleepers, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&t->lock);
        pthread_cond_broadcast(&t->posted);
        pthread_mutex_unlock(&t->lock);
    }
    take_pieces(t, 0);
    await_members(t);
    t->busy = 0;
}

void kroncy_run(int n_threads, int64_t n, double work, kroncy_body body, void *context) {
    n_threads = kroncy_team(n_threads);
    if (n_threads > n) n_threads = (int)n;
    if (n_threads <= 1 || work < __atomic_load_n(&worth_sharing, __ATOMIC_RELAXED) || is_helper ||
        (own_team && own_team->busy)) {
        run_alone(n, body, context);
        return;
    }
    /* Several teams at work divide the processors. */
    const int running = __atomic_add_fetch(&n_running, 1, __ATOMIC_RELAXED);
    if (running > 1 && n_threads > kroncy_processors() / running)
        n_threads = kroncy_processors() / running;
    team *t = n_threads > 1 ? find_team(n_threads) : NULL;
    if (t && t->n_helpers && nanoseconds(CLOCK_MONOTONIC) >= t->alone_until)
        share(t, n_threads, n, work, body, context);
    else
        run_alone(n, body, context);
    __atomic_sub_fetch(&n_running, 1, __ATOMIC_RELAXED);
}
