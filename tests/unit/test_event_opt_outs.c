/* Who opted out, and in, by which body. */
#include "parsing.h"

static void opting_out_by_every_path(void **state)
{
    static const struct {
        const char *fields;
        bool opts_out;
    } cases[] = {
        {"\"status\":\"failure\",\"reason\":\"Opted out\"", true},
        {"\"status\":\"failure\",\"reason\":\" OPTED   OUT\"", true},
        {"\"status\":\"failure\",\"reason\":\"Internal DNC\"", true},
        {"\"status\":\"failure\",\"reason\":\"Opt-out\"", true},
        {"\"status\":\"failure\",\"reason\":\"Recipient replied STOP\"", true},
        {"\"status\":\"failure\",\"reason\":\"Number not opted out\"", false},
        {"\"status\":\"failure\",\"reason_code\":4016", true},
        {"\"status\":\"failure\",\"reason_code\":6005", true},
        {"\"status\":\"failure\",\"reason\":\"opt-in revoked\"", true},
        {"\"status\":\"failure\",\"dnc\":true", true},
        {"\"status\":\"success\",\"dnc\":true", true},
        {"\"status\":\"success\",\"reason\":\"Opted out\"", true},
        {"\"status\":\"success\",\"reason_code\":6005", true},
        {"\"status\":\"failure\",\"reason_code\":4002,\"reason\":\"Opted out\"", true},
        {"\"status\":\"failure\",\"reason_code\":4016,\"reason\":\"No Funds\"", true},
        {"\"status\":\"failure\",\"dnc\":false", false},
        {"\"status\":\"failure\",\"dnc\":\"true\"", false},
        {"\"status\":\"failure\",\"dnc\":1", false},
        {"\"status\":\"failure\",\"spam\":true", false},
        {"\"status\":\"failure\",\"reason\":\"No Funds\"", false},
        {"\"status\":\"failure\",\"reason_code\":6006", false},
        {"\"status\":\"failure\",\"dnc\":null,\"data\":{\"dnc\":true}", true},
        {"\"status\":\"failure\",\"dnc\":false,\"data\":{\"dnc\":true}", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{%s}", cases[i].fields);
        if (parsed(body).opts_out != cases[i].opts_out)
            fail_msg("%s", body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opting_out_by_every_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
