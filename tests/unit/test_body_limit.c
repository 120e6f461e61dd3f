#include "bridge/broker/body_limit.h"

#include "cases.h"

static void is_known_for_a_while(void **state)
{
    struct body_limit limit = {0};

    (void)state;
    assert_int_equal(body_limit_get(&limit, 1000), 0);
    body_limit_set(&limit, 5000, 1000);
    assert_int_equal(body_limit_get(&limit, 1000), 5000);
    assert_int_equal(body_limit_get(&limit, 1000 + BODY_LIMIT_TRUSTED_MS - 1), 5000);
    assert_int_equal(body_limit_get(&limit, 1000 + BODY_LIMIT_TRUSTED_MS), 0);
    body_limit_set(&limit, 6000, 1000 + BODY_LIMIT_TRUSTED_MS);
    assert_int_equal(body_limit_get(&limit, 1000 + BODY_LIMIT_TRUSTED_MS), 6000);
    body_limit_forget(&limit);
    assert_int_equal(body_limit_get(&limit, 1000 + BODY_LIMIT_TRUSTED_MS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_known_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
