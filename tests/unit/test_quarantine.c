/* Which message is taken for deadly, by what becomes of the children that read it first. */
#include "cases.h"
#include "workers/queue/quarantine.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SUSPECTS_MAX = 1200 };

/* What the children have done: they share it with the test. */
static struct shared {
    atomic_int deaths;
    atomic_int reads;
} *shared;

static struct held held;

/* A message's letter is what reading it does: g nothing, a aborts, k is killed, x exits, s reads what is not there, h
   never ends, o ends one child. */
static void read_letter(const void *context, struct delivery *delivery)
{
    char letter = (char)delivery->body[0];
    (void)context;
    atomic_fetch_add(&shared->reads, 1);
    if (letter == 'a')
        abort();
    if (letter == 'k')
        (void)kill(getpid(), SIGKILL);
    if (letter == 'x')
        _exit(3);
    if (letter == 's') {
        (void)signal(SIGSEGV, SIG_DFL); /* cmocka catches it */
        (void)raise(SIGSEGV);
    }
    while (letter == 'h')
        (void)pause();
    if (letter == 'o' && atomic_fetch_add(&shared->deaths, 1) == 0)
        _exit(EXIT_SUCCESS);
    delivery->body[0] = 'R'; /* only the child sees it */
}

static const struct quarantine quarantine = {.read = read_letter, .limit_s = QUARANTINE_S};

/* A letter a message; a capital one is no suspect. */
static struct delivery *list_of(const char *letters)
{
    struct delivery *first = NULL, **last = &first;
    for (; *letters; letters++, last = &(*last)->next) {
        *last = delivery_new(1, &held);
        assert_non_null(*last);
        (*last)->suspect = *letters >= 'a';
        (*last)->body[0] = (uint8_t)*letters;
        (*last)->delivery_count = QUARANTINE_COUNT;
    }
    return first;
}

static void free_list(struct delivery *first)
{
    while (first) {
        struct delivery *next = first->next;
        delivery_free(first);
        first = next;
    }
}

/* How each stands: s a suspect, d deadly, . as any other. */
static const char *standing(const struct delivery *first)
{
    static char text[SUSPECTS_MAX + 1];
    size_t len = 0;
    for (; first; first = first->next)
        text[len++] = first->suspect ? 's' : first->reason ? 'd' : '.';
    text[len] = '\0';
    return text;
}

static int begin(void **state)
{
    const struct rlimit no_core = {0};
    (void)state;
    assert_int_equal(setrlimit(RLIMIT_CORE, &no_core), 0);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(held.bytes, 0);
    return munmap(shared, sizeof *shared);
}

static void a_child_goes_on_until_it_dies_and_the_next_one_begins_there(void **state)
{
    static const struct {
        const char *name, *letters;
        const char *rounds[6]; /* how they stand after each child */
    } cases[] = {
        {"nothing to read", "", {""}},
        {"no suspect", "GGG", {"..."}},
        {"innocents", "ggg", {"..."}},
        {"between others", "GgGgG", {"....."}},
        {"one that aborts", "a", {"s", "d"}},
        {"one that is killed", "k", {"s", "d"}},
        {"one that exits", "x", {"s", "d"}},
        {"one that reads what is not there", "s", {"s", "d"}},
        {"a child that died of something else", "gog", {".ss", "..."}},
        {"the first of three", "agg", {"sss", "dss", "d.."}},
        {"the second of three", "gag", {".ss", ".ds", ".d."}},
        {"the last of three", "gga", {"..s", "..d"}},
        {"two behind each other", "gaag", {".sss", ".dss", ".dss", ".dds", ".dd."}},
        {"one that was not to be read", "GAg", {"..."}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct delivery *list = list_of(cases[i].letters);
        struct error error = {0};
        atomic_store(&shared->deaths, 0);
        for (size_t round = 0; cases[i].rounds[round]; round++) {
            CHECK_CASE(cases[i].name, quarantine_read(&quarantine, list, &error));
            CHECK_CASE(cases[i].name, strcmp(standing(list), cases[i].rounds[round]) == 0);
        }
        for (const struct delivery *one = list; one; one = one->next)
            CHECK_CASE(cases[i].name, one->body[0] != 'R');
        free_list(list);
    }
}

static void a_deadly_one_says_what_happened(void **state)
{
    static const struct {
        const char *letter, *how;
        unsigned limit_s;
    } cases[] = {
        {"a", "the last with signal 6; it was delivered 3 times", QUARANTINE_S},
        {"x", "the last with exit status 3; it was delivered 3 times", QUARANTINE_S},
        {"h", "the last with signal 14 (it took too long); it was delivered 3 times", 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct quarantine impatient = quarantine;
        struct delivery *list = list_of(cases[i].letter);
        struct error error = {0};
        impatient.limit_s = cases[i].limit_s;
        for (int child = 0; child < QUARANTINE_DEATHS; child++)
            assert_true(quarantine_read(&impatient, list, &error));
        assert_string_equal(list->reason, "crashed_worker");
        CHECK_CASE(cases[i].letter, strstr(list->detail, cases[i].how));
        free_list(list);
    }
}

static void all_that_a_dead_worker_held_take_one_child(void **state)
{
    char letters[SUSPECTS_MAX + 1];
    struct error error = {0};
    (void)state;
    memset(letters, 'g', SUSPECTS_MAX);
    letters[SUSPECTS_MAX] = '\0';
    struct delivery *list = list_of(letters);
    atomic_store(&shared->reads, 0);
    assert_true(quarantine_read(&quarantine, list, &error));
    assert_null(strchr(standing(list), 's'));
    assert_int_equal(atomic_load(&shared->reads), SUSPECTS_MAX);
    free_list(list);
}

static void without_a_process_to_be_had_they_are_read_as_any_other(void **state)
{
    struct rlimit before, none;
    struct delivery *list = list_of("gGa");
    struct error error = {0};
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0; /* the pipe to the child fails, for any user */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    bool done = quarantine_read(&quarantine, list, &error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(done);
    assert_string_equal(standing(list), "...");
    assert_non_null(strstr(error.text, "read without one"));
    free_list(list);
}

/* Other threads allocate at every moment: the child of a fork among them must read all the same. glibc and the thread
   sanitizer see to it; the address sanitizer of gcc 12 does not. */
#ifndef __SANITIZE_ADDRESS__
static void *allocate(void *over)
{
    while (!atomic_load((atomic_bool *)over))
        free(malloc(1000));
    return NULL;
}

static void read_with_memory(const void *context, struct delivery *delivery)
{
    char *volatile memory = malloc(1000);
    (void)context;
    if (memory)
        memory[0] = (char)delivery->body[0];
    free(memory);
}

static void other_threads_do_not_matter(void **state)
{
    static const struct quarantine allocating = {.read = read_with_memory, .limit_s = QUARANTINE_S};
    atomic_bool over = false;
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, allocate, &over), 0);
    for (int i = 0; i < 20; i++) {
        struct delivery *list = list_of("ggg");
        struct error error = {0};
        assert_true(quarantine_read(&allocating, list, &error));
        assert_string_equal(standing(list), "...");
        free_list(list);
    }
    atomic_store(&over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_goes_on_until_it_dies_and_the_next_one_begins_there),
        cmocka_unit_test(a_deadly_one_says_what_happened),
        cmocka_unit_test(all_that_a_dead_worker_held_take_one_child),
        cmocka_unit_test(without_a_process_to_be_had_they_are_read_as_any_other),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(other_threads_do_not_matter),
#endif
    };
    return cmocka_run_group_tests(tests, begin, end);
}
