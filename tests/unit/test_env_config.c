#include "common/env_config.h"

#include "cases.h"
#include "common/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sample {
    char *name;
    char *url;
    int64_t count;
    int level;
    struct secrets keys;
    char *listen;
};

static bool no_bad_url(const char *value, struct error *error)
{
    if (strncmp(value, "bad", 3) == 0)
        error_set(error, ERROR_CONFIG, "is no URL");
    else if (strncmp(value, "later", 5) == 0)
        error_set(error, ERROR_NOT_YET, "names nobody yet");
    else
        return true;
    return false;
}

static const char *const levels[] = {"low", "middle", "high", NULL};

static const struct setting rows[] = {
    {.name = "SAMPLE_NAME",
     .type = SETTING_TEXT,
     .offset = offsetof(struct sample, name),
     .default_text = "nobody",
     .meaning = "a name"},
    {.name = "SAMPLE_URL",
     .type = SETTING_TEXT,
     .offset = offsetof(struct sample, url),
     .default_text = "x://h",
     .secret = true,
     .meaning = "a URL",
     .check = no_bad_url},
    {.name = "SAMPLE_COUNT",
     .type = SETTING_INTEGER,
     .offset = offsetof(struct sample, count),
     .default_text = "5",
     .min = -1,
     .max = 100,
     .meaning = "a number"},
    {.name = "SAMPLE_LEVEL",
     .type = SETTING_CHOICE,
     .offset = offsetof(struct sample, level),
     .default_text = "middle",
     .choices = levels,
     .meaning = "a level"},
    {.name = "SAMPLE_KEYS",
     .type = SETTING_SECRETS,
     .offset = offsetof(struct sample, keys),
     .secret = true,
     .meaning = "keys"},
    {.name = "SAMPLE_LISTEN",
     .type = SETTING_LISTEN,
     .offset = offsetof(struct sample, listen),
     .default_text = "127.0.0.1:80",
     .meaning = "an address"},
};

/* Writes `text` to a new file, whose name goes to `path`. */
static void write_file(char path[64], const char *text, size_t len)
{
    (void)snprintf(path, 64, "/tmp/test_env_config.XXXXXX");
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    assert_int_equal(close(fd), 0);
}

struct loaded {
    struct sample values;
    struct config_report report;
    bool ok;
};

/* Loads with up to three environment entries and the config file's text (NULL: none). */
static void load(struct loaded *out, const char *const environment[3], const char *file_text)
{
    char copies[3][512];
    char *entries[4] = {NULL};
    char path[64];
    for (size_t i = 0; i < 3 && environment && environment[i]; i++) {
        (void)snprintf(copies[i], sizeof copies[i], "%s", environment[i]);
        entries[i] = copies[i];
    }
    memset(out, 0, sizeof *out);
    config_report_init(&out->report);
    if (file_text)
        write_file(path, file_text, strlen(file_text));
    out->ok = config_load(rows, COUNT(rows), file_text ? path : NULL, entries, &out->values, &out->report);
    if (file_text)
        (void)unlink(path);
}

static void unload(struct loaded *loaded)
{
    config_clear(rows, COUNT(rows), &loaded->values);
    config_report_clear(&loaded->report);
}

static const char *problems_of(const struct loaded *loaded)
{
    return loaded->report.problems.data ? loaded->report.problems.data : "";
}

static const char *warnings_of(const struct loaded *loaded)
{
    return loaded->report.warnings.data ? loaded->report.warnings.data : "";
}

static void gives_every_row_its_default(void **state)
{
    (void)state;
    struct loaded loaded;
    load(&loaded, NULL, NULL);
    assert_true(loaded.ok);
    assert_string_equal(loaded.values.name, "nobody");
    assert_string_equal(loaded.values.url, "x://h");
    assert_int_equal(loaded.values.count, 5);
    assert_int_equal(loaded.values.level, 1);
    assert_int_equal(loaded.values.keys.count, 0);
    assert_string_equal(loaded.values.listen, "127.0.0.1:80");
    assert_string_equal(warnings_of(&loaded), "");
    unload(&loaded);
}

/* One case of loading: what is given, and a piece of the problem it makes (NULL: none). */
struct load_case {
    const char *name;
    const char *environment[3];
    const char *file, *problem;
};

static void check_loads(const struct load_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct loaded loaded;
        load(&loaded, cases[i].environment, cases[i].file);
        CHECK_CASE(cases[i].name, loaded.ok == (cases[i].problem == NULL));
        CHECK_CASE(problems_of(&loaded), !cases[i].problem || strstr(problems_of(&loaded), cases[i].problem) != NULL);
        CHECK_CASE(cases[i].name, loaded.values.name && loaded.values.url && loaded.values.listen);
        unload(&loaded);
    }
}

static void names_what_cannot_be_used(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {"an integer in range", {"SAMPLE_COUNT=100"}, NULL, NULL},
        {"a negative one in range", {"SAMPLE_COUNT=-1"}, NULL, NULL},
        {"an integer too big",
         {"SAMPLE_COUNT=101"},
         NULL,
         "SAMPLE_COUNT must be a whole number from -1 to 100, not \"101\"\n"},
        {"an integer past 64 bits", {"SAMPLE_COUNT=99999999999999999999"}, NULL, "SAMPLE_COUNT must be"},
        {"a fraction", {"SAMPLE_COUNT=1.5"}, NULL, "SAMPLE_COUNT must be"},
        {"a space in front", {"SAMPLE_COUNT= 5"}, NULL, "SAMPLE_COUNT must be"},
        {"a plus sign", {"SAMPLE_COUNT=+5"}, NULL, "SAMPLE_COUNT must be"},
        {"hexadecimal", {"SAMPLE_COUNT=0x5"}, NULL, "SAMPLE_COUNT must be"},
        {"a choice", {"SAMPLE_LEVEL=high"}, NULL, NULL},
        {"another case of a choice",
         {"SAMPLE_LEVEL=High"},
         NULL,
         "SAMPLE_LEVEL must be low, middle or high, not \"High\"\n"},
        {"a text that its check refuses", {"SAMPLE_URL=bad"}, NULL, "SAMPLE_URL is no URL\n"},
        {"an empty value counts as not given", {"SAMPLE_COUNT="}, NULL, NULL},
        {"an unknown key in the file",
         {NULL},
         "# x\n\nSAMPLE_CUONT=7\n",
         " line 3: SAMPLE_CUONT is no setting of this program; the nearest is SAMPLE_COUNT\n"},
        {"a key of another of our programs", {NULL}, "PREFETCH=7\nSAMPLE_COUNT=1\n", NULL},
        {"a line without =", {NULL}, "hello\n", " line 1: not KEY=VALUE\n"},
        {"a key twice in the file",
         {NULL},
         "SAMPLE_COUNT=1\nSAMPLE_COUNT=2\n",
         " line 2: SAMPLE_COUNT is already given in line 1\n"},
        {"a bad value in the file", {NULL}, "SAMPLE_COUNT=x\n", "SAMPLE_COUNT must be"},
        {"a bad value in the file that the environment covers", {"SAMPLE_COUNT=1"}, "SAMPLE_COUNT=x\n", NULL},
    };
    check_loads(cases, COUNT(cases));
}

static void names_addresses_that_cannot_be_listened_on(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {"an address", {"SAMPLE_LISTEN=0.0.0.0:0"}, NULL, NULL},
        {"an address with TLS", {"SAMPLE_LISTEN=127.0.0.1:8443s"}, NULL, NULL},
        {"the last port", {"SAMPLE_LISTEN=127.0.0.1:65535"}, NULL, NULL},
        {"an IPv6 address", {"SAMPLE_LISTEN=[::1]:65535"}, NULL, "listening on IPv6 is not supported: give an IPv4"},
        {"all IPv6 addresses", {"SAMPLE_LISTEN=[::]:80s"}, NULL, "listening on IPv6 is not supported"},
        {"an IPv4 address out of range", {"SAMPLE_LISTEN=256.0.0.1:80"}, NULL, "\"256.0.0.1\" is no IPv4 address\n"},
        {"a short IPv4 address", {"SAMPLE_LISTEN=127.1:80"}, NULL, "\"127.1\" is no IPv4 address\n"},
        {"a name that begins with a digit", {"SAMPLE_LISTEN=3com.invalid:80"}, NULL, "is no IPv4 address\n"},
        {"a name without an address",
         {"SAMPLE_LISTEN=no-such-host.invalid:80"},
         NULL,
         "SAMPLE_LISTEN needs an IPv4 address, and the name \"no-such-host.invalid\" has none here: "},
        {"a URL", {"SAMPLE_LISTEN=http://h:80"}, NULL, "SAMPLE_LISTEN must be host:port"},
        {"a space in the host", {"SAMPLE_LISTEN=a b:80"}, NULL, "SAMPLE_LISTEN must be host:port; the host has"},
        {"a port alone", {"SAMPLE_LISTEN=8080"}, NULL, "SAMPLE_LISTEN must be host:port"},
        {"no host", {"SAMPLE_LISTEN=:8080"}, NULL, "SAMPLE_LISTEN must be host:port"},
        {"no port", {"SAMPLE_LISTEN=h:"}, NULL, "SAMPLE_LISTEN must be host:port"},
        {"port 65536", {"SAMPLE_LISTEN=h:65536"}, NULL, "SAMPLE_LISTEN must be host:port"},
        {"a port of many digits", {"SAMPLE_LISTEN=h:00000080"}, NULL, "SAMPLE_LISTEN must be host:port"},
        {"an r behind the port", {"SAMPLE_LISTEN=h:80r"}, NULL, "SAMPLE_LISTEN must be host:port"},
        {"two addresses", {"SAMPLE_LISTEN=h:80,h:81"}, NULL, "SAMPLE_LISTEN must be host:port"},
        {"IPv6 without brackets", {"SAMPLE_LISTEN=::1:80"}, NULL, "listening on IPv6 is not supported"},
        {"an open bracket", {"SAMPLE_LISTEN=[::1:80"}, NULL, "listening on IPv6 is not supported"},
    };
    check_loads(cases, COUNT(cases));
}

static void names_secrets_and_files_that_cannot_be_used(void **state)
{
    (void)state;
    static const struct load_case cases[] = {
        {"a value twice", {"SAMPLE_URL=a", "SAMPLE_URL_FILE=b"}, NULL, "SAMPLE_URL and SAMPLE_URL_FILE are both given"},
        {"a value twice in the file", {NULL}, "SAMPLE_URL=a\nSAMPLE_URL_FILE=b\n", "both given in the --config file"},
        {"a _FILE that is not there",
         {"SAMPLE_KEYS_FILE=/nowhere/x"},
         NULL,
         "SAMPLE_KEYS_FILE: /nowhere/x cannot be read: No such file or directory\n"},
        {"a _FILE that is a directory", {"SAMPLE_KEYS_FILE=/tmp"}, NULL, "SAMPLE_KEYS_FILE: /tmp cannot be read: "},
        {"an empty _FILE", {"SAMPLE_KEYS_FILE=/dev/null"}, NULL, "SAMPLE_KEYS_FILE: /dev/null is empty\n"},
        {"a _FILE of a row without it", {NULL}, "SAMPLE_NAME_FILE=x\n", "SAMPLE_NAME_FILE is no setting"},
        {"an empty secret", {"SAMPLE_KEYS=a,,b"}, NULL, "SAMPLE_KEYS has an empty secret"},
        {"a newline behind a secret",
         {"SAMPLE_KEYS=a\n"},
         NULL,
         "SAMPLE_KEYS has a newline at its end: take it away, or put the secrets into a file, one a line, and name "
         "that "
         "in SAMPLE_KEYS_FILE\n"},
        {"a newline alone", {"SAMPLE_KEYS=\n"}, NULL, "SAMPLE_KEYS has a newline at its end"},
        {"a newline between secrets", {"SAMPLE_KEYS=a\nb"}, NULL, "SAMPLE_KEYS has a newline in it"},
        {"two newlines at the end", {"SAMPLE_KEYS=a\n\n"}, NULL, "SAMPLE_KEYS has a newline"},
        {"a carriage return", {"SAMPLE_KEYS=a\r"}, NULL, "SAMPLE_KEYS has a control character in it"},
        {"an escape", {"SAMPLE_KEYS=a\033[1m"}, NULL, "SAMPLE_KEYS has a control character in it"},
        {"a DEL", {"SAMPLE_KEYS=a\177"}, NULL, "SAMPLE_KEYS has a control character in it"},
        {"a tab in the file", {NULL}, "SAMPLE_KEYS=a\tb\n", "SAMPLE_KEYS has a control character in it"},
        {"bytes past ASCII in a secret", {"SAMPLE_KEYS=\303\244\377"}, NULL, NULL},
        {"a comma at the end", {"SAMPLE_KEYS=a,"}, NULL, "SAMPLE_KEYS has an empty secret"},
    };
    check_loads(cases, COUNT(cases));
}

static void tells_given_but_unusable_from_not_set(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *environment[3];
        const char *file;
        const char *row;
        bool failed;
    } cases[] = {
        {"not set", {NULL}, NULL, "SAMPLE_KEYS", false},
        {"usable", {"SAMPLE_KEYS=a"}, NULL, "SAMPLE_KEYS", false},
        {"unusable", {"SAMPLE_KEYS=a,"}, NULL, "SAMPLE_KEYS", true},
        {"unusable in the file", {NULL}, "SAMPLE_KEYS=,\n", "SAMPLE_KEYS", true},
        {"a _FILE that is not there", {"SAMPLE_KEYS_FILE=/nowhere/x"}, NULL, "SAMPLE_KEYS", true},
        {"an empty _FILE", {"SAMPLE_KEYS_FILE=/dev/null"}, NULL, "SAMPLE_KEYS", true},
        {"given twice", {"SAMPLE_KEYS=a", "SAMPLE_KEYS_FILE=b"}, NULL, "SAMPLE_KEYS", true},
        {"another row", {"SAMPLE_COUNT=x", "SAMPLE_LEVEL=x"}, NULL, "SAMPLE_KEYS", false},
        {"the second of two", {"SAMPLE_COUNT=x", "SAMPLE_LEVEL=x"}, NULL, "SAMPLE_LEVEL", true},
        {"the beginning of a name", {"SAMPLE_COUNT=x"}, NULL, "SAMPLE_COUN", false},
        {"no name", {"SAMPLE_COUNT=x"}, NULL, "", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct loaded loaded;
        load(&loaded, cases[i].environment, cases[i].file);
        CHECK_CASE(cases[i].name, config_row_failed(&loaded.report, cases[i].row) == cases[i].failed);
        unload(&loaded);
    }
}

static void collects_all_problems_and_sets_defaults(void **state)
{
    (void)state;
    const char *environment[3] = {"SAMPLE_COUNT=x", "SAMPLE_LEVEL=x", "SAMPLE_LISTEN=x"};
    struct loaded loaded;
    load(&loaded, environment, "UNKNOWN_THING=1\nSAMPLE_URL=bad\n");
    assert_false(loaded.ok);
    static const char *const names[] = {"UNKNOWN_THING", "SAMPLE_URL", "SAMPLE_COUNT", "SAMPLE_LEVEL", "SAMPLE_LISTEN"};
    for (size_t i = 0; i < COUNT(names); i++)
        CHECK_CASE(names[i], strstr(problems_of(&loaded), names[i]) != NULL);
    assert_int_equal(loaded.values.count, 5);
    assert_int_equal(loaded.values.level, 1);
    assert_string_equal(loaded.values.url, "x://h");
    unload(&loaded);
}

static void reads_the_config_file(void **state)
{
    (void)state;
    const char *environment[3] = {"SAMPLE_COUNT=9"};
    struct loaded loaded;
    load(&loaded, environment,
         "# a comment\r\n\r\n  SAMPLE_NAME = a = b \r\nSAMPLE_COUNT=7\n\t# indented\nSAMPLE_KEYS=k1,k "
         "2\nSAMPLE_LEVEL=\nSAMPLE_URL=#u");
    assert_string_equal(problems_of(&loaded), "");
    assert_true(loaded.ok);
    assert_string_equal(loaded.values.name, " a = b ");
    assert_int_equal(loaded.values.count, 9);
    assert_int_equal(loaded.values.level, 1);
    assert_string_equal(loaded.values.url, "#u");
    assert_int_equal(loaded.values.keys.count, 2);
    assert_memory_equal(loaded.values.keys.items[1].data, "k 2", 3);
    unload(&loaded);
}

static void reads_values_from_files(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        size_t len, secrets;
        const char *url; /* NULL: refused */
    } cases[] = {
        {"one line", "k1", 2, 1, "k1"},
        {"two lines", "k1\nk,2\n", 7, 2, "k1"},
        {"empty lines between", "k1\n\n\nk2\n\n", 9, 2, "k1"},
        {"a carriage return belongs to a secret, not to a text", "k1\r\n", 4, 1, "k1"},
        {"a NUL belongs to a secret, not to a text", "k\0x\n", 4, 1, NULL},
        {"only newlines", "\n\n", 2, 0, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char path[64];
        char keys[128];
        char url[128];
        struct loaded loaded;
        write_file(path, cases[i].text, cases[i].len);
        (void)snprintf(keys, sizeof keys, "SAMPLE_KEYS_FILE=%s", path);
        (void)snprintf(url, sizeof url, "SAMPLE_URL_FILE=%s", path);
        const char *for_keys[3] = {keys};
        const char *for_url[3] = {url};
        load(&loaded, for_keys, NULL);
        CHECK_CASE(cases[i].name, loaded.values.keys.count == cases[i].secrets);
        CHECK_CASE(cases[i].name, loaded.ok == (cases[i].secrets > 0));
        unload(&loaded);
        load(&loaded, for_url, NULL);
        CHECK_CASE(cases[i].name, loaded.ok == (cases[i].url != NULL));
        CHECK_CASE(cases[i].name, strcmp(loaded.values.url, cases[i].url ? cases[i].url : "x://h") == 0);
        unload(&loaded);
        (void)unlink(path);
    }
}

static void refuses_what_is_too_large(void **state)
{
    (void)state;
    const size_t len = 1024 * 1024 + 1;
    char *text = test_malloc(len + 1);
    char path[64];
    char entry[128];
    struct loaded loaded;
    memset(text, '#', len);
    text[len] = '\0';
    load(&loaded, NULL, text);
    assert_non_null(strstr(problems_of(&loaded), "is longer than 1048576 bytes"));
    unload(&loaded);

    write_file(path, text, 64 * 1024 + 1);
    (void)snprintf(entry, sizeof entry, "SAMPLE_KEYS_FILE=%s", path);
    load(&loaded, (const char *[3]){entry}, NULL);
    assert_non_null(strstr(problems_of(&loaded), "is longer than 65536 bytes"));
    unload(&loaded);
    (void)unlink(path);

    for (size_t i = 0; i < 2 * (LIMIT_SECRETS + 1); i += 2)
        memcpy(text + i, "k\n", 2);
    write_file(path, text, 2 * (LIMIT_SECRETS + 1));
    (void)snprintf(entry, sizeof entry, "SAMPLE_KEYS_FILE=%s", path);
    load(&loaded, (const char *[3]){entry}, NULL);
    assert_non_null(strstr(problems_of(&loaded), "names more than 128 secrets"));
    unload(&loaded);
    (void)unlink(path);
    test_free(text);
}

static void warns_of_names_that_look_like_ours(void **state)
{
    (void)state;
    static const struct {
        const char *name, *environment;
        const char *meant; /* NULL: no warning */
    } cases[] = {
        {"a letter missing", "SAMPLE_CONT=1", "SAMPLE_COUNT"},
        {"two letters swapped", "SAMPLE_CUONT=1", "SAMPLE_COUNT"},
        {"a letter more", "SAMPLE_NAMES=1", "SAMPLE_NAME"},
        {"near a _FILE", "SAMPLE_KEY_FILE=1", "SAMPLE_KEYS_FILE"},
        {"three letters away", "SAMPLE_CNT_=1", NULL},
        {"lower case", "sample_count=1", NULL},
        {"known", "SAMPLE_COUNT=1", NULL},
        {"a known _FILE", "SAMPLE_URL_FILE=/dev/zero", NULL},
        {"another program's", "PATH=/bin", NULL},
        {"empty and near", "SAMPLE_CONT=", "SAMPLE_COUNT"},
        {"no name", "=x", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct loaded loaded;
        load(&loaded, (const char *[3]){cases[i].environment}, NULL);
        CHECK_CASE(cases[i].name, (warnings_of(&loaded)[0] != '\0') == (cases[i].meant != NULL));
        CHECK_CASE(warnings_of(&loaded), !cases[i].meant || strstr(warnings_of(&loaded), cases[i].meant) != NULL);
        unload(&loaded);
    }
}

static void warns_of_what_is_hardly_meant_in_a_secret(void **state)
{
    (void)state;
    static const struct {
        const char *name, *file;
        const char *doubt; /* NULL: no warning */
    } cases[] = {
        {"letters", "SAMPLE_KEYS=abc\n", NULL},
        {"single quotation marks", "SAMPLE_KEYS='abc'\n", "secret 1 stands between quotation marks"},
        {"double quotation marks", "SAMPLE_KEYS=abc,\"abc\"\n", "secret 2 stands between quotation marks"},
        {"one quotation mark", "SAMPLE_KEYS='\n", NULL},
        {"a quotation mark at one end", "SAMPLE_KEYS='abc\n", NULL},
        {"two different ones", "SAMPLE_KEYS='abc\"\n", NULL},
        {"a comment behind", "SAMPLE_KEYS=abc # mine\n", "secret 1 has a # behind white space"},
        {"a number sign within", "SAMPLE_KEYS=a#c\n", NULL},
        {"a number sign first", "SAMPLE_KEYS=#c\n", NULL},
        {"a comment alone", "SAMPLE_KEYS=# of the old webhook\n", "secret 1 begins with a # and has white space"},
        {"a comment alone, written close", "SAMPLE_KEYS=#the old\n", "secret 1 begins with a # and has white space"},
        {"a byte order mark within", "SAMPLE_KEYS=\xef\xbb\xbfx\n", "secret 1 begins with a byte order mark"},
        {"a space behind", "SAMPLE_KEYS=abc \n", "secret 1 begins or ends with white space"},
        {"a byte order mark before", "\xef\xbb\xbfSAMPLE_KEYS=abc\n", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct loaded loaded;
        load(&loaded, NULL, cases[i].file);
        CHECK_CASE(cases[i].name, loaded.ok && loaded.values.keys.count > 0);
        CHECK_CASE(cases[i].name, (warnings_of(&loaded)[0] != '\0') == (cases[i].doubt != NULL));
        CHECK_CASE(warnings_of(&loaded), !cases[i].doubt || strstr(warnings_of(&loaded), cases[i].doubt) != NULL);
        CHECK_CASE(cases[i].name, strstr(warnings_of(&loaded), "abc") == NULL);
        unload(&loaded);
    }
}

static void tells_what_may_pass_from_what_needs_a_person(void **state)
{
    (void)state;
    static const struct config_arguments start = {0}, check = {.check_config = true}, health = {.health = true};
    static const struct {
        const char *name;
        const struct config_arguments *arguments;
        const char *environment[3];
        enum error_code code;
    } cases[] = {
        {"nothing is wrong", &start, {NULL}, ERROR_NONE},
        {"it may pass", &start, {"SAMPLE_URL=later"}, ERROR_NOT_YET},
        {"it is wrong", &start, {"SAMPLE_URL=bad"}, ERROR_CONFIG},
        {"one is wrong and one may pass", &start, {"SAMPLE_COUNT=x", "SAMPLE_URL=later"}, ERROR_CONFIG},
        {"it may pass, and a check is asked for", &check, {"SAMPLE_URL=later"}, ERROR_CONFIG},
        {"it is wrong, and a health that does not need it is asked for", &health, {"SAMPLE_URL=bad"}, ERROR_NONE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct loaded loaded;
        load(&loaded, cases[i].environment, NULL);
        CHECK_CASE(cases[i].name, config_verdict(&loaded.report, loaded.ok, cases[i].arguments) == cases[i].code);
        CHECK_CASE(cases[i].name, (problems_of(&loaded)[0] == '\0') == loaded.ok);
        unload(&loaded);
    }
}

static void never_shows_a_secret(void **state)
{
    (void)state;
    static const char *const entries[] = {"SAMPLE_KEYS=HIDDEN,,HIDDEN", "SAMPLE_KEYS= HIDDEN",
                                          "SAMPLE_KEYZ=HIDDEN",         "SAMPLE_URL=badHIDDEN",
                                          "SAMPLE_KEYS=HIDDEN\n",       "SAMPLE_KEYS=HIDDEN\033"};
    for (size_t i = 0; i < COUNT(entries); i++) {
        struct loaded loaded;
        load(&loaded, (const char *[3]){entries[i]}, NULL);
        CHECK_CASE(entries[i], problems_of(&loaded)[0] != '\0' || warnings_of(&loaded)[0] != '\0');
        CHECK_CASE(entries[i], strstr(problems_of(&loaded), "HIDDEN") == NULL);
        CHECK_CASE(entries[i], strstr(warnings_of(&loaded), "HIDDEN") == NULL);
        unload(&loaded);
    }
}

static void reads_the_command_line(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *arguments[3];
        bool ok, help, version, check, health;
        const char *file;
    } cases[] = {
        {"nothing", {NULL}, true, false, false, false, false, NULL},
        {"help", {"--help"}, true, true, false, false, false, NULL},
        {"version", {"--version"}, true, false, true, false, false, NULL},
        {"check with a file", {"--check-config", "--config", "f"}, true, false, false, true, false, "f"},
        {"health", {"--health"}, true, false, false, false, true, NULL},
        {"a file with =", {"--config=f=g"}, true, false, false, false, false, "f=g"},
        {"no file", {"--config"}, false, false, false, false, false, NULL},
        {"an unknown option", {"--port"}, false, false, false, false, false, NULL},
        {"a word", {"x"}, false, false, false, false, false, NULL},
        {"a longer option", {"--configure"}, false, false, false, false, false, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char copies[3][32];
        char program[] = "program";
        char *argv[5] = {program};
        int argc = 1;
        struct config_arguments out = {.help = true, .config_file = "untouched"};
        struct error error = {.code = ERROR_NONE};
        for (size_t j = 0; j < 3 && cases[i].arguments[j]; j++) {
            (void)snprintf(copies[j], sizeof copies[j], "%s", cases[i].arguments[j]);
            argv[argc++] = copies[j];
        }
        CHECK_CASE(cases[i].name, config_arguments_read(argc, argv, &out, &error) == cases[i].ok);
        CHECK_CASE(cases[i].name, (error.code == ERROR_USAGE) != cases[i].ok);
        if (!cases[i].ok) {
            CHECK_CASE(cases[i].name, strcmp(out.config_file, "untouched") == 0);
            continue;
        }
        CHECK_CASE(cases[i].name, out.help == cases[i].help && out.version == cases[i].version);
        CHECK_CASE(cases[i].name, out.check_config == cases[i].check);
        CHECK_CASE(cases[i].name, out.health == cases[i].health);
        CHECK_CASE(cases[i].name, (out.config_file != NULL) == (cases[i].file != NULL));
        CHECK_CASE(cases[i].name, !cases[i].file || strcmp(out.config_file, cases[i].file) == 0);
    }
}

static void helps_with_every_row(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 10000);
    config_print_help(rows, COUNT(rows), &out);
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_CASE(rows[i].name, strstr(out.data, rows[i].name) && strstr(out.data, rows[i].meaning));
    assert_non_null(strstr(out.data, "[middle]"));
    assert_non_null(strstr(out.data, "SAMPLE_KEYS_FILE"));
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_every_row_its_default),
        cmocka_unit_test(names_what_cannot_be_used),
        cmocka_unit_test(names_addresses_that_cannot_be_listened_on),
        cmocka_unit_test(names_secrets_and_files_that_cannot_be_used),
        cmocka_unit_test(tells_given_but_unusable_from_not_set),
        cmocka_unit_test(collects_all_problems_and_sets_defaults),
        cmocka_unit_test(reads_the_config_file),
        cmocka_unit_test(reads_values_from_files),
        cmocka_unit_test(refuses_what_is_too_large),
        cmocka_unit_test(warns_of_names_that_look_like_ours),
        cmocka_unit_test(warns_of_what_is_hardly_meant_in_a_secret),
        cmocka_unit_test(tells_what_may_pass_from_what_needs_a_person),
        cmocka_unit_test(never_shows_a_secret),
        cmocka_unit_test(reads_the_command_line),
        cmocka_unit_test(helps_with_every_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
