/* Which keys are ours by their schema, and what people are told of others. */
#include "common/redis/schema.h"

#include "cases.h"

#include <string.h>

static void tells_ours_from_older_newer_and_foreign_ones(void **state)
{
    (void)state;
    static const struct {
        const char *name, *schema;
        enum error_code code;
        const char *says;
    } cases[] = {
        {"none yet", "", ERROR_NONE, ""},
        {"ours", "2", ERROR_NONE, ""},
        {"one that was never released", "1", ERROR_REFUSED, "use an empty Redis or another REDIS_PREFIX"},
        {"the next", "3", ERROR_NEWER, "upgrade this worker"},
        {"one far ahead", "99999999999999999999", ERROR_NEWER, "upgrade this worker"},
        {"none of a worker", "two", ERROR_REFUSED, "use an empty Redis or another REDIS_PREFIX"},
        {"one with a tail", "3 apples", ERROR_REFUSED, "use an empty Redis or another REDIS_PREFIX"},
        {"a negative one", "-3", ERROR_REFUSED, "use an empty Redis or another REDIS_PREFIX"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {.text = ""};
        bool ours = redis_schema_check(cases[i].schema, "dc:", "Redis at h:1", &error);

        CHECK_CASE(cases[i].name, ours == (cases[i].code == ERROR_NONE));
        CHECK_CASE(cases[i].name, error.code == cases[i].code);
        CHECK_CASE(cases[i].name, strstr(error.text, cases[i].says) != NULL);
        CHECK_CASE(cases[i].name, ours || strncmp(error.text, "Redis at h:1: dc:schema is ", 27) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_ours_from_older_newer_and_foreign_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
