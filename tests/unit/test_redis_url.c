/* REDIS_URL: one server, or sentinels and a name. */
#include "common/redis/url.h"

#include "cases.h"

#include <stdio.h>
#include <string.h>

static void takes_both_forms_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *user, *password, *primary;
        int db;
        const char *servers; /* each with a space behind it */
    } cases[] = {
        {"a host", "redis://h", "", "", "", 0, "h:6379 "},
        {"everything of one server", "redis://u:p%2F@h:1/15", "u", "p/", "", 15, "h:1 "},
        {"capitals", "Redis://h/1", "", "", "", 1, "h:6379 "},
        {"sentinels in capitals", "REDIS-SENTINEL://a:1,b/main/2", "", "", "main", 2, "a:1 b:26379 "},
        {"a user without a password", "redis://counting@h", "counting", "", "", 0, "h:6379 "},
        {"an empty database", "redis://h/", "", "", "", 0, "h:6379 "},
        {"an IPv6 address", "redis://[::1]:7/1", "", "", "", 1, "::1:7 "},
        {"one sentinel", "redis-sentinel://s/main", "", "", "main", 0, "s:26379 "},
        {"sentinels and a database", "redis-sentinel://a:1,b:2,c/main/3", "", "", "main", 3, "a:1 b:2 c:26379 "},
        {"an empty database behind a name", "redis-sentinel://a/main/", "", "", "main", 0, "a:26379 "},
        {"user and password", "redis-sentinel://u:p@a:1,b:2/my.main-1_x/0", "u", "p", "my.main-1_x", 0, "a:1 b:2 "},
        {"a comma in the password", "redis-sentinel://:p%2Cq@a:1,b:2/m", "", "p,q", "m", 0, "a:1 b:2 "},
        {"a colon and an escaped @ in the password", "redis-sentinel://:p:%40@a/m", "", "p:@", "m", 0, "a:26379 "},
        {"IPv6 sentinels", "redis-sentinel://[::1]:1,[::2]/m/1", "", "", "m", 1, "::1:1 ::2:26379 "},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redis_url url;
        struct error error = {.text = ""};
        const char *name = cases[i].name;
        char servers[256] = "";
        CHECK_CASE(name, redis_url_read(cases[i].text, &url, &error));
        CHECK_CASE(name, strcmp(url.user, cases[i].user) == 0);
        CHECK_CASE(name, strcmp(url.password, cases[i].password) == 0);
        CHECK_CASE(name, strcmp(url.primary, cases[i].primary) == 0);
        CHECK_CASE(name, url.db == cases[i].db);
        for (size_t k = 0; k < url.count; k++) {
            size_t len = strlen(servers);
            snprintf(servers + len, sizeof servers - len, "%s:%u ", url.servers[k].host, url.servers[k].port);
        }
        CHECK_CASE(name, strcmp(servers, cases[i].servers) == 0);
    }
}

static void refuses_the_rest_with_a_sentence_that_tells_no_secret(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *says;
    } cases[] = {
        {"another scheme", "http://h", "redis://, rediss:// or redis-sentinel://"},
        {"a socket", "unix:///run/redis.sock", "redis://, rediss:// or redis-sentinel://"},
        {"no scheme", "h:6379", "redis://, rediss:// or redis-sentinel://"},
        {"no scheme, but a password", ":hunter2@h:6379", "redis://, rediss:// or redis-sentinel://"},
        {"sentinels with TLS", "rediss-sentinel://:hunter2@a:1,b:2/main", "no TLS with sentinels"},
        {"a second slash", "redis://h//", "one slash"},
        {"a database of letters", "redis://:hunter2@h/zero", "database"},
        {"a database beyond all", "redis://h/65536", "database"},
        {"a negative database", "redis://h/-1", "database"},
        {"a longer path", "redis://h/0/1", "database"},
        {"a list without sentinels", "redis://a:1,b:2/0", "port"},
        {"no name", "redis-sentinel://:hunter2@a:1,b:2", "by which name"},
        {"an empty name", "redis-sentinel://a:1,b:2/", "by which name"},
        {"a database without a name", "redis-sentinel://a:1//0", "by which name"},
        {"a name with a space in it", "redis-sentinel://a/my%20main/0", "letters, digits"},
        {"a database of letters behind the name", "redis-sentinel://a/main/x", "database"},
        {"a path behind the database", "redis-sentinel://a/main/0/1", "database"},
        {"no sentinel", "redis-sentinel:///main/0", "host of a sentinel is missing"},
        {"a comma at the end", "redis-sentinel://a:1,/main", "host of a sentinel is missing"},
        {"a comma at the start", "redis-sentinel://,a:1/main", "host of a sentinel is missing"},
        {"a bad port of the second", "redis-sentinel://a:1,b:x/main", "port"},
        {"a user with the second", "redis-sentinel://a:1,u:hunter2@b:1/main", "once"},
        {"a bare comma in the password", "redis-sentinel://:hunter2,x@a:1/main", "%2C"},
        {"a password with a slash", "redis-sentinel://:hunter2/x@a:1/main", "no host"},
        {"a query", "redis-sentinel://a:1/main?password=hunter2", "query"},
        {"too many", "redis-sentinel://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a/m", "more than 16"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redis_url url = {.db = -7};
        struct error error = {.text = ""};
        const char *name = cases[i].name;
        CHECK_CASE(name, !redis_url_read(cases[i].text, &url, &error));
        CHECK_CASE(name, error.code == ERROR_CONFIG);
        CHECK_CASE(name, strncmp(error.text, "REDIS_URL: ", 11) == 0);
        if (!strstr(error.text, cases[i].says))
            fail_msg("%s: %s", name, error.text);
        CHECK_CASE(name, !strstr(error.text, "hunter2"));
        CHECK_CASE(name, url.db == -7);
    }
}

static void takes_tls_where_the_library_has_it_and_says_what_to_do_elsewhere(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        bool tls;
        uint16_t port;
    } cases[] = {
        {"no TLS", "redis://:hunter2@h/2", false, 6379},
        {"TLS", "rediss://:hunter2@h/2", true, 6379},
        {"TLS in capitals, a port", "REDISS://:hunter2@h:1/2", true, 1},
        {"sentinels", "redis-sentinel://:hunter2@h/rediss/2", false, 26379},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redis_url url = {0};
        struct error error = {.text = ""};
        const char *name = cases[i].name;
        bool taken = redis_url_read(cases[i].text, &url, &error);
        CHECK_CASE(name, taken == (redis_url_may_be_tls() || !cases[i].tls));
        CHECK_CASE(name, !taken || (url.tls == cases[i].tls && url.servers[0].port == cases[i].port && url.db == 2 &&
                                    strcmp(url.password, "hunter2") == 0));
        CHECK_CASE(name, taken || (strncmp(error.text, "REDIS_URL: rediss:// (TLS) is not in this program", 49) == 0 &&
                                   strstr(error.text, "container image") && !strstr(error.text, "hunter2")));
    }
}

static void refuses_what_is_longer_than_any_url(void **state)
{
    (void)state;
    char text[5000] = "redis-sentinel://a/";
    struct redis_url url;
    struct error error = {.text = ""};
    size_t len = strlen(text);
    memset(text + len, 'm', sizeof text - len - 1);
    text[sizeof text - 1] = '\0';
    assert_false(redis_url_read(text, &url, &error));
    assert_non_null(strstr(error.text, "longer than"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_both_forms_apart),
        cmocka_unit_test(refuses_the_rest_with_a_sentence_that_tells_no_secret),
        cmocka_unit_test(takes_tls_where_the_library_has_it_and_says_what_to_do_elsewhere),
        cmocka_unit_test(refuses_what_is_longer_than_any_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
