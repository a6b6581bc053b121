/* One case of tests/_base/test_team.py: prints "passed", or says what is wrong and returns 1. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "_openmp.h"
#include "_team_kernel.h"

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            printf("line %d: %s\n", __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

enum { MOST = 1000, THREADS = 5 };

typedef struct {
    int visits[MOST];         /* plain: each index belongs to one thread */
    int inside[THREADS];      /* plain: each number belongs to one thread at a time */
    int highest, overlap;     /* atomic */
    int64_t sum;              /* atomic */
    volatile double sink[MOST];
} record;

static void spin(volatile double *sink, int rounds) {
    for (int k = 0; k < rounds; k++) *sink += k;
}

static void visit(void *context, int64_t i, int thread) {
    record *r = context;
    if (r->inside[thread]++) kroncy_atomic_set(&r->overlap);
    r->visits[i]++;
    spin(&r->sink[i], 300);
    kroncy_atomic_add(&r->sum, i);
    int highest = __atomic_load_n(&r->highest, __ATOMIC_RELAXED);
    while (thread > highest && !__atomic_compare_exchange_n(&r->highest, &highest, thread, 1,
                                                            __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    r->inside[thread]--;
}

static void run_and_check(int n_threads, int64_t n, double work) {
    record *r = calloc(1, sizeof *r);
    kroncy_run(n_threads, n, work, visit, r);
    for (int64_t i = 0; i < MOST; i++) CHECK(r->visits[i] == (i < n));
    CHECK(r->sum == n * (n - 1) / 2);
    CHECK(!r->overlap && r->highest < n_threads);
    free(r);
}

static void every_index_once(void) {
    const int64_t sizes[] = {0, 1, 2, 3, 7, 31, 100, MOST};
    for (int repeat = 0; repeat < 50; repeat++)
        for (int n_threads = 1; n_threads <= THREADS; n_threads++)
            for (int k = 0; k < 8; k++) run_and_check(n_threads, sizes[k], 1e9);
}

/* Every thread that takes part is there: a body waits until all others have come. */
static void meet(void *context, int64_t i, int thread) {
    int *here = context;
    (void)i;
    (void)thread;
    __atomic_fetch_add(here, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(here, __ATOMIC_RELAXED) < 3) usleep(100);
}

static void one_thread_a_number(void) {
    int here = 0;
    if (kroncy_has_openmp()) kroncy_run(3, 3, 1e9, meet, &here);
    CHECK(here == 3 || !kroncy_has_openmp());
}

static void outer(void *context, int64_t i, int thread) {
    (void)context;
    (void)i;
    (void)thread;
    run_and_check(3, 20, 1e9); /* on one thread, whichever calls */
}

static void nested(void) {
    for (int repeat = 0; repeat < 20; repeat++) kroncy_run(3, 10, 1e9, outer, NULL);
}

static void *call_often(void *argument) {
    (void)argument;
    for (int repeat = 0; repeat < 200; repeat++) run_and_check(2, 50, 1e9);
    return NULL;
}

static void many_callers(void) {
    pthread_t callers[4];
    for (int round = 0; round < 3; round++) {
        for (int k = 0; k < 4; k++) CHECK(!pthread_create(&callers[k], NULL, call_often, NULL));
        for (int k = 0; k < 4; k++) pthread_join(callers[k], NULL);
    }
}

static void alone(void *context, int64_t i, int thread) {
    (void)i;
    CHECK(thread == 0 && pthread_equal(pthread_self(), *(pthread_t *)context));
}

static void after_fork(void) {
    pthread_t self = pthread_self();
    run_and_check(2, 50, 1e9);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        kroncy_run(4, 100, 1e9, alone, &self);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status));
    run_and_check(2, 50, 1e9);
}

static void little_work(void) {
    pthread_t self = pthread_self();
    int64_t sharing = 500, waking = 700;
    kroncy_share_from(&sharing, &waking);
    kroncy_run(4, 100, 499, alone, &self);
    CHECK(sharing > 0 && waking > sharing);
    kroncy_share_from(&sharing, &waking);
    CHECK(sharing == 500 && waking == 700);
}

static int count_threads(void) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    int n = -1;
    while (file && fgets(line, sizeof line, file)) sscanf(line, "Threads: %d", &n);
    if (file) fclose(file);
    return n;
}

static void helpers_end(void) {
    pthread_t caller;
    const int before = count_threads();
    CHECK(!pthread_create(&caller, NULL, call_often, NULL));
    pthread_join(caller, NULL);
    CHECK(count_threads() <= before + 1); /* the sanitizer may have one of its own */
}

int main(int count, char **arguments) {
    const char *name = count > 1 ? arguments[1] : "";
#define CASE(f) \
    if (!strcmp(name, #f)) { \
        f(); \
        puts("passed"); \
        return 0; \
    }
    CASE(every_index_once)
    CASE(one_thread_a_number)
    CASE(nested)
    CASE(many_callers)
    CASE(after_fork)
    CASE(little_work)
    CASE(helpers_end)
    printf("no case %s\n", name);
    return 1;
}
