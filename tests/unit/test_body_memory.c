/* BODY_MEMORY_BYTES: what bodies may take, small and large. */
#include "bridge/http/body_memory.h"

#include "cases.h"

enum { KIB = 1024, LIMIT = 1024 * KIB };

static void bodies_share_the_memory(void **state)
{
    static const struct {
        const char *name;
        size_t small, large; /* bytes that others hold */
        size_t before, more;
        bool taken;
    } cases[] = {
        {"a small body finds room in an empty memory", 0, 0, 0, 400, true},
        {"a large body finds room in an empty memory", 0, 0, 0, 500 * KIB, true},
        {"large bodies have three quarters of it", 0, 700 * KIB, 0, 68 * KIB, true},
        {"and no more", 0, 700 * KIB, 0, 69 * KIB, false},
        {"a small body finds room beside all that large ones may have", 0, 768 * KIB, 0, 16 * KIB, true},
        {"small bodies may fill it", LIMIT - 400, 0, 0, 400, true},
        {"and no more", LIMIT - 400, 0, 0, 401, false},
        {"a body that grows large counts from its first byte", 0, 758 * KIB, 10 * KIB, 10 * KIB, false},
        {"a body that is large already counts what it takes more", 0, 704 * KIB, 64 * KIB, 64 * KIB, true},
        {"nothing more is always there", LIMIT, 0, 0, 0, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct body_memory memory = {.limit = LIMIT};

        atomic_store(&memory.used, cases[i].small + cases[i].large);
        atomic_store(&memory.large, cases[i].large);
        CHECK_CASE(cases[i].name, body_memory_take(&memory, cases[i].before, cases[i].more) == cases[i].taken);
        if (!cases[i].taken) {
            CHECK_CASE(cases[i].name, atomic_load(&memory.used) == cases[i].small + cases[i].large);
            CHECK_CASE(cases[i].name, atomic_load(&memory.large) == cases[i].large);
        }
    }
}

static void what_a_body_took_is_given_back_whole(void **state)
{
    static const size_t steps[][3] = {{400, 400, 400}, {4 * KIB, 16 * KIB, 16 * KIB}, {4 * KIB, 64 * KIB, 128 * KIB}, {64 * KIB, 128 * KIB, 500 * KIB}};

    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++) {
        struct body_memory memory = {.limit = LIMIT};
        size_t taken = 0;

        for (size_t step = 0; step < 3; step++) {
            assert_true(body_memory_take(&memory, taken, steps[i][step] - taken));
            taken = steps[i][step];
        }
        assert_int_equal(atomic_load(&memory.used), taken);
        body_memory_give(&memory, taken);
        assert_int_equal(atomic_load(&memory.used), 0);
        assert_int_equal(atomic_load(&memory.large), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_share_the_memory),
        cmocka_unit_test(what_a_body_took_is_given_back_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
