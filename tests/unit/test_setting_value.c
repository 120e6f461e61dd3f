#include "common/setting_value.h"

#include "cases.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

/* In place of the C library's: a resolver that can be told what to say. */
static int resolver_says;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    (void)name;
    (void)service;
    (void)hints;
    *out = NULL;
    return resolver_says;
}

void freeaddrinfo(struct addrinfo *found)
{
    (void)found;
}

static void tells_a_resolver_that_is_away_from_a_name_that_is_wrong(void **state)
{
    (void)state;
    static const struct setting row = {.name = "SAMPLE", .type = SETTING_LISTEN};
    static const struct {
        const char *name;
        int says;
        enum error_code code;
    } cases[] = {
        {"the name has an address", 0, ERROR_NONE},          {"no name server answers", EAI_AGAIN, ERROR_NOT_YET},
        {"the system fails", EAI_SYSTEM, ERROR_NOT_YET},     {"nobody has that name", EAI_NONAME, ERROR_CONFIG},
        {"the name server refuses", EAI_FAIL, ERROR_CONFIG},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {.code = ERROR_NONE};
        char *listen = NULL;
        resolver_says = cases[i].says;
        CHECK_CASE(cases[i].name,
                   setting_value_parse(&row, "a.name:80", &listen, &error) == (cases[i].code == ERROR_NONE));
        CHECK_CASE(cases[i].name, error.code == cases[i].code);
        free(listen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_a_resolver_that_is_away_from_a_name_that_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
