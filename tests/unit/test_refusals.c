/* Each kind of refusal is told when it first comes, then once an hour with its count, and is listed on /readyz. */
#include "bridge/http/refusals.h"
#include "cases.h"
#include "common/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OUT_SIZE = 64 * 1024 };

static const int64_t wall_ms = 1774000000123; /* 2026-03-20T09:46:40.123Z */

#define TOKEN "0123456789abcdefABCDEF0123456789"
#define LONG_NAME                                                                                                      \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* Standard error into a pipe, and back. */
struct capture {
    int saved, end;
};

static struct capture capture_begin(void)
{
    struct capture capture = {.saved = dup(STDERR_FILENO)};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    (void)close(ends[1]);
    capture.end = ends[0];
    log_init("prog", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    return capture;
}

static void capture_end(struct capture capture, char out[OUT_SIZE])
{
    size_t len = 0;
    ssize_t n;

    assert_true(dup2(capture.saved, STDERR_FILENO) >= 0);
    (void)close(capture.saved);
    while ((n = read(capture.end, out + len, OUT_SIZE - 1 - len)) > 0)
        len += (size_t)n;
    (void)close(capture.end);
    out[len] = '\0';
}

static size_t lines_in(const char *text)
{
    size_t lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void note(struct refusals *refusals, enum response answer, const char *campaign, int64_t now_ms)
{
    const struct ingest_request request = {.method = "POST", .path = "/callbacks/dropcowboy"};
    struct route_match match = {.route = ROUTE_CALLBACK};

    snprintf(match.campaign, sizeof match.campaign, "%s", campaign);
    refusals_note(refusals, &(struct refusal){answer, &request, &match, "192.0.2.1", NULL}, now_ms, wall_ms);
}

static const struct {
    const char *name;
    enum response answer;
    const char *method, *path, *signature, *timestamp;
    enum route route;
    const char *campaign, *problem;
    const char *says, *hides; /* says NULL: there is no line */
} requests[] = {
    {"a wrong secret", RESPONSE_INVALID_SIGNATURE, "POST", "/webhook", "00", NULL, ROUTE_WEBHOOK, "", NULL,
     "warn prog: refused a request (invalid_signature), from 192.0.2.1: each is a result lost. Put the secret that the dashboard "
     "shows for this webhook into WEBHOOK_SECRET", "campaign"},
    {"a campaign", RESPONSE_INVALID_TOKEN, "POST", "/c", NULL, NULL, ROUTE_CALLBACK, "spring", NULL,
     "(invalid_token) for campaign spring, from", NULL},
    {"a campaign that may be a phone number", RESPONSE_INVALID_TOKEN, "POST", "/c", NULL, NULL, ROUTE_CALLBACK,
     "13125550142", NULL, "for campaign *********42,", "3125550142"},
    {"a sender whose clock is behind", RESPONSE_STALE_TIMESTAMP, "POST", "/webhook", "00", "1773999690", ROUTE_WEBHOOK, "",
     NULL, "clock skew -310 s (the sender's less ours): ", "milliseconds"},
    {"a sender whose clock is ahead", RESPONSE_STALE_TIMESTAMP, "POST", "/webhook", "00", "1774000310", ROUTE_WEBHOOK, "",
     NULL, "clock skew +310 s", "milliseconds"},
    {"a sender that means milliseconds", RESPONSE_STALE_TIMESTAMP, "POST", "/webhook", "00", "1774000001000", ROUTE_WEBHOOK,
     "", NULL, "clock skew +1 s (the sender's less ours); X-Timestamp looks like milliseconds", NULL},
    {"the last time that is in seconds", RESPONSE_STALE_TIMESTAMP, "POST", "/webhook", "00", "99999999999", ROUTE_WEBHOOK, "",
     NULL, "clock skew +98225999999 s", "milliseconds"},
    {"a timestamp that is none", RESPONSE_STALE_TIMESTAMP, "POST", "/webhook", "00", "12x", ROUTE_WEBHOOK, "", NULL,
     "clock unknown: X-Timestamp is not a number", NULL},
    {"a timestamp with a sign", RESPONSE_STALE_TIMESTAMP, "POST", "/webhook", "00", "-5", ROUTE_WEBHOOK, "", NULL,
     "clock unknown", NULL},
    {"a timestamp that fits no number", RESPONSE_STALE_TIMESTAMP, "POST", "/webhook", "00", "1234567890123456789",
     ROUTE_WEBHOOK, "", NULL, "clock unknown", NULL},
    {"a mistyped path", RESPONSE_NOT_FOUND, "POST", "/callback/spring", NULL, NULL, ROUTE_NONE, "", NULL,
     "warn prog: refused a request (not_found), from 192.0.2.1, path /callback/spring: each is a result lost. Give the sender", NULL},
    {"a mistyped path in capitals", RESPONSE_NOT_FOUND, "POST", "/WebHooks", NULL, NULL, ROUTE_NONE, "", NULL, "warn prog", NULL},
    {"a signed request elsewhere", RESPONSE_NOT_FOUND, "POST", "/", "00", NULL, ROUTE_NONE, "", NULL, "warn prog", NULL},
    {"a token in a mistyped path", RESPONSE_NOT_FOUND, "POST", "/callbacks/dropcowby/spring/t/" TOKEN, NULL, NULL, ROUTE_NONE,
     "", NULL, "path /callbacks/dropcowby/spring/t/*: ", "0123456789"},
    {"a longer token before more", RESPONSE_NOT_FOUND, "POST", "/callback/" TOKEN "a/abc", NULL, NULL, ROUTE_NONE, "", NULL,
     "path /callback/*/abc: ", "0123456789"},
    {"fewer digits than a token's", RESPONSE_NOT_FOUND, "POST", "/webhook/abcdefabcdefabcdefabcdefabcdefa", NULL, NULL,
     ROUTE_NONE, "", NULL, "path /webhook/abcdefabcdefabcdefabcdefabcdefa: ", NULL},
    {"a phone number in a mistyped path", RESPONSE_NOT_FOUND, "POST", "/callback/13125550142", NULL, NULL, ROUTE_NONE, "", NULL,
     "path /callback/*********42: ", "3125550142"},
    {"a token that is cut by the end of what is shown", RESPONSE_NOT_FOUND, "POST", "/callback/" LONG_NAME "/" TOKEN, NULL, NULL,
     ROUTE_NONE, "", NULL, "xxx/*: ", "01234"},
    {"a path that is longer", RESPONSE_NOT_FOUND, "POST", "/callback/" LONG_NAME LONG_NAME, NULL, NULL, ROUTE_NONE, "", NULL,
     "xxx: each is a result lost. Give the sender", NULL},
    {"control bytes in a path", RESPONSE_NOT_FOUND, "POST", "/webhook\r\n\x1b[2J\x80", NULL, NULL, ROUTE_NONE, "", NULL,
     "path /webhook???[2J?: ", "\x1b"},
    {"a scanner's POST", RESPONSE_NOT_FOUND, "POST", "/wp-login.php", NULL, NULL, ROUTE_NONE, "", NULL,
     "info prog: refused a request (not_found), from 192.0.2.1, path /wp-login.php: most likely a scanner's. ", "lost"},
    {"a scanner's GET", RESPONSE_NOT_FOUND, "GET", "/webhook.php", NULL, NULL, ROUTE_NONE, "", NULL, NULL, NULL},
    {"a head that could not be read", RESPONSE_BAD_REQUEST, NULL, NULL, NULL, NULL, ROUTE_NONE, "", NULL, NULL, NULL},
    {"POST on /health", RESPONSE_METHOD_NOT_ALLOWED, "POST", "/health", NULL, NULL, ROUTE_HEALTH, "", NULL, "info prog", "lost"},
    {"what a redirect made of a POST", RESPONSE_METHOD_NOT_ALLOWED, "GET", "/webhook", NULL, NULL, ROUTE_WEBHOOK, "", NULL,
     "warn prog: refused a request (method_not_allowed), from 192.0.2.1, method GET: each is a result lost. Events are POSTs", NULL},
    {"broken framing", RESPONSE_BAD_REQUEST, "POST", "/webhook", NULL, NULL, ROUTE_NONE, "", "two lengths",
     "warn prog: refused a request (bad_request), from 192.0.2.1, two lengths: each", NULL},
};

static void a_line_says_what_and_why_and_what_to_do(void **state)
{
    static char out[OUT_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        const struct ingest_request request = {.method = requests[i].method,
                                               .path = requests[i].path,
                                               .guide_signature = requests[i].timestamp ? NULL : requests[i].signature,
                                               .v1_signature = requests[i].timestamp ? requests[i].signature : NULL,
                                               .v1_timestamp = requests[i].timestamp};
        struct route_match match = {.route = requests[i].route};
        struct refusals *refusals = refusals_new();
        const struct capture capture = capture_begin();

        snprintf(match.campaign, sizeof match.campaign, "%s", requests[i].campaign);
        refusals_note(refusals, &(struct refusal){requests[i].answer, &request, &match, "192.0.2.1", requests[i].problem}, 0, wall_ms);
        capture_end(capture, out);
        if (lines_in(out) != (requests[i].says ? 1 : 0) || (requests[i].says && !strstr(out, requests[i].says)) ||
            (requests[i].hides && strstr(out, requests[i].hides)))
            fail_msg("%s: %s", requests[i].name, out);
        refusals_free(refusals);
    }
}

/* The steps: "a" and "b" are refusals of those campaigns, "." lets half an hour pass, "," tells what is due, "!" what is left. */
static void a_kind_is_told_once_an_hour_with_its_count(void **state)
{
    static const struct {
        const char *name, *steps;
        const char *lines[3]; /* what they begin with, behind "refused " */
    } cases[] = {
        {"nothing", ",..,!", {NULL}},
        {"the first is told at once", "a", {"a request (invalid_token) for campaign a"}},
        {"more within the hour are not", "aa.a,", {"a request"}},
        {"they are told when it is over", "aa.a.,", {"a request", "2 more (invalid_token) for campaign a, the last from"}},
        {"by the next that comes, if that is earlier", "aa.a.a,", {"a request", "3 more"}},
        {"and then an hour later again", "aa..,a.,.,", {"a request", "1 more", "1 more"}},
        {"nothing new is nothing to tell", "a..,..,", {"a request"}},
        {"kinds do not wait for each other", "a.b", {"a request (invalid_token) for campaign a", "a request (invalid_token) for campaign b"}},
        {"what is left is told at the end", "aaa!", {"a request", "2 more"}},
        {"and not twice", "aaa!!", {"a request", "2 more"}},
    };
    static char out[OUT_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct refusals *refusals = refusals_new();
        const struct capture capture = capture_begin();
        int64_t now_ms = 0;
        char *line = out;

        for (const char *step = cases[i].steps; *step; step++) {
            if (*step == '.')
                now_ms += REFUSALS_AGAIN_MS / 2;
            else if (*step == ',' || *step == '!')
                refusals_tell(refusals, *step == ',' ? now_ms : INT64_MAX);
            else
                note(refusals, RESPONSE_INVALID_TOKEN, (char[]){*step, '\0'}, now_ms);
        }
        capture_end(capture, out);
        for (size_t n = 0; n < COUNT(cases[i].lines) && cases[i].lines[n]; n++) {
            const char *said = strstr(line, "refused ");

            if (!said || strncmp(said + 8, cases[i].lines[n], strlen(cases[i].lines[n])) != 0)
                fail_msg("%s: line %zu of %s", cases[i].name, n + 1, out);
            line = strchr(said, '\n') + 1;
        }
        CHECK_CASE(cases[i].name, *line == '\0');
        refusals_free(refusals);
    }
}

static void note_campaigns(struct refusals *refusals, int count, int64_t now_ms)
{
    for (int i = 0; i < count; i++) {
        char campaign[16];

        snprintf(campaign, sizeof campaign, "c%d", i);
        note(refusals, RESPONSE_INVALID_TOKEN, campaign, now_ms);
    }
}

static void report(struct refusals *refusals, struct buf *members)
{
    buf_init(members, 48 * 1024);
    refusals_report(refusals, members);
    assert_false(members->overflow);
}

static size_t count_of(const struct buf *text, const char *part)
{
    size_t count = 0;

    for (const char *at = text->data; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

static void kinds_past_the_bound_are_one(void **state)
{
    static char out[OUT_SIZE];
    struct refusals *refusals = refusals_new();
    struct capture capture = capture_begin();
    struct buf members;

    (void)state;
    note_campaigns(refusals, REFUSALS_KINDS + 3, 0);
    refusals_tell(refusals, REFUSALS_AGAIN_MS);
    capture_end(capture, out);
    assert_int_equal(lines_in(out), REFUSALS_KINDS + 2);
    assert_non_null(strstr(out, "refused a request of other kinds (invalid_token) for campaign c64, "));
    assert_non_null(strstr(out, "refused 2 more of other kinds (invalid_token) for campaign c66, "));
    report(refusals, &members);
    assert_int_equal(count_of(&members, "\"code\""), REFUSALS_KINDS + 1);
    assert_non_null(strstr(members.data, "[{\"code\":\"others\",\"campaign\":\"c66\",\"count\":3,"));
    buf_clear(&members);

    capture = capture_begin(); /* a day later places are free, that of the kind quiet longest first */
    note(refusals, RESPONSE_INVALID_TOKEN, "c0", REFUSALS_QUIET_MS);
    note(refusals, RESPONSE_INVALID_SIGNATURE, "", REFUSALS_QUIET_MS);
    capture_end(capture, out);
    assert_int_equal(lines_in(out), 2);
    assert_non_null(strstr(out, "refused a request (invalid_signature), "));
    report(refusals, &members);
    assert_non_null(strstr(members.data, "\"campaign\":\"c0\",\"count\":2,"));
    assert_null(strstr(members.data, "\"campaign\":\"c1\","));
    buf_clear(&members);
    refusals_free(refusals);
}

static void readyz_lists_what_was_refused_last_first(void **state)
{
    static char out[OUT_SIZE];
    struct refusals *refusals = refusals_new();
    const struct capture capture = capture_begin();
    struct buf members;

    (void)state;
    report(refusals, &members);
    assert_string_equal(members.data, ",\"refused\":[]");
    buf_clear(&members);
    note(refusals, RESPONSE_PAYLOAD_TOO_LARGE, "spring", 0);
    note(refusals, RESPONSE_PAYLOAD_TOO_LARGE, "", 0);
    note(refusals, RESPONSE_PAYLOAD_TOO_LARGE, "spring", 0);
    capture_end(capture, out);
    report(refusals, &members);
    assert_string_equal(
        members.data,
        ",\"refused\":[{\"code\":\"payload_too_large\",\"campaign\":\"spring\",\"count\":2,\"last\":\"2026-03-20T09:46:40.123Z\","
        "\"detail\":\"from 192.0.2.1\",\"remedy\":\"Raise MAX_BODY_BYTES\"},"
        "{\"code\":\"payload_too_large\",\"campaign\":\"\",\"count\":1,\"last\":\"2026-03-20T09:46:40.123Z\","
        "\"detail\":\"from 192.0.2.1\",\"remedy\":\"Raise MAX_BODY_BYTES\"}]");
    buf_clear(&members);
    refusals_free(refusals);
}

static void a_scanner_hides_no_mistyped_path(void **state)
{
    static const char *const paths[] = {"/wp-login.php", "/webhooks", "/wp-login.php"};
    static char out[OUT_SIZE];
    struct refusals *refusals = refusals_new();
    const struct capture capture = capture_begin();
    struct buf members;

    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        const struct ingest_request request = {.method = "POST", .path = paths[i]};
        const struct route_match match = {.route = ROUTE_NONE};

        refusals_note(refusals, &(struct refusal){RESPONSE_NOT_FOUND, &request, &match, "192.0.2.1", NULL}, 0, wall_ms);
    }
    capture_end(capture, out);
    assert_int_equal(lines_in(out), 2);
    assert_non_null(strstr(out, "path /webhooks: each is a result lost"));
    report(refusals, &members);
    assert_non_null(strstr(members.data, "\"count\":1,\"last\":\"2026-03-20T09:46:40.123Z\",\"detail\":\"from 192.0.2.1, path /webhooks\""));
    buf_clear(&members);
    refusals_free(refusals);
}

static void every_refusal_has_a_remedy_but_unavailable(void **state)
{
    (void)state;
    for (int answer = 0; answer < RESPONSE_COUNT; answer++) {
        const bool told = response_row((enum response)answer)->status >= 400 && answer != RESPONSE_UNAVAILABLE;

        CHECK_CASE(response_row((enum response)answer)->code, (response_row((enum response)answer)->remedy != NULL) == told);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_what_and_why_and_what_to_do),
        cmocka_unit_test(a_kind_is_told_once_an_hour_with_its_count),
        cmocka_unit_test(kinds_past_the_bound_are_one),
        cmocka_unit_test(readyz_lists_what_was_refused_last_first),
        cmocka_unit_test(a_scanner_hides_no_mistyped_path),
        cmocka_unit_test(every_refusal_has_a_remedy_but_unavailable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
