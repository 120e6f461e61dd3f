#include "common/reread.h"

#include "cases.h"
#include "common/env_config.h"
#include "common/log.h"
#include "common/stop_signal.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sample {
    struct secrets keys, others;
    int level;
    char *fixed, *url;
};

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

static const struct setting rows[] = {
    {.name = "SAMPLE_KEYS", .type = SETTING_SECRETS, .offset = offsetof(struct sample, keys), .secret = true, .reread = true},
    {.name = "SAMPLE_OTHERS", .type = SETTING_SECRETS, .offset = offsetof(struct sample, others), .secret = true, .reread = true},
    {.name = "LOG_LEVEL", .type = SETTING_CHOICE, .offset = offsetof(struct sample, level), .default_text = "info",
     .choices = levels, .reread = true},
    {.name = "AMQP_QUEUE", .type = SETTING_TEXT, .offset = offsetof(struct sample, fixed), .default_text = "old"},
    {.name = "SAMPLE_URL", .type = SETTING_TEXT, .offset = offsetof(struct sample, url), .default_text = "none", .secret = true,
     .reread = true},
};

/* What the program has in force, as its functions were told in the thread. */
struct program {
    char folder[64], config[96], keys_file[96];
    struct sample values;
    struct reread *reread;
    pthread_mutex_t mutex; /* guards the next */
    char in_force[128];    /* "KEYS OTHERS FIXED", each the first secret and how many there are */
    _Atomic int looks;
};

static const char *first_of(const struct secrets *secrets, char out[32])
{
    (void)snprintf(out, 32, "%.*s:%zu", secrets->count > 0 ? (int)secrets->items[0].len : 0,
                   secrets->count > 0 ? (const char *)secrets->items[0].data : "", secrets->count);
    return out;
}

static bool take(void *context, const void *config, struct config_report *report)
{
    const struct sample *sample = config;
    struct program *program = context;
    char keys[32], others[32];

    if (strcmp(first_of(&sample->keys, keys), "forbidden:1") == 0) {
        config_problem(report, "a key that is forbidden");
        return false;
    }
    pthread_mutex_lock(&program->mutex);
    (void)snprintf(program->in_force, sizeof program->in_force, "%s %s %s", keys, first_of(&sample->others, others),
                   sample->fixed);
    pthread_mutex_unlock(&program->mutex);
    return true;
}

static void look(void *context, struct config_report *report)
{
    (void)report;
    atomic_fetch_add(&((struct program *)context)->looks, 1);
}

/* NULL: it is not there. */
static void put(const char *path, const char *text)
{
    char fresh[128];

    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    if (!text) {
        (void)unlink(path);
        return;
    }
    FILE *file = fopen(fresh, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, path), 0);
}

static void begin(struct program *program, bool hears)
{
    const struct reread_ops ops = {take, hears ? look : NULL, program};
    struct config_report report;
    struct error error;

    memset(program, 0, sizeof *program);
    pthread_mutex_init(&program->mutex, NULL);
    (void)strcpy(program->folder, "/tmp/test_reread.XXXXXX");
    assert_non_null(mkdtemp(program->folder));
    (void)snprintf(program->config, sizeof program->config, "%s/config", program->folder);
    (void)snprintf(program->keys_file, sizeof program->keys_file, "%s/keys", program->folder);
    put(program->config, "SAMPLE_OTHERS=x\n");
    put(program->keys_file, "a\n");
    assert_int_equal(setenv("SAMPLE_KEYS_FILE", program->keys_file, 1), 0);
    program->reread = reread_new(rows, COUNT(rows), program->config, &program->values, sizeof program->values);
    assert_non_null(program->reread);
    config_report_init(&report);
    assert_true(config_load(rows, COUNT(rows), program->config, environ, &program->values, &report));
    config_report_clear(&report);
    assert_true(reread_start(program->reread, &ops, &error));
}

static void end(struct program *program)
{
    reread_free(program->reread);
    config_clear(rows, COUNT(rows), &program->values);
    put(program->keys_file, NULL);
    put(program->config, NULL);
    assert_int_equal(rmdir(program->folder), 0);
    pthread_mutex_destroy(&program->mutex);
    log_set_level(LOG_LEVEL_INFO);
}

/* Until a look has ended that began after this. */
static void hang_up(struct program *program)
{
    const int before = atomic_load(&program->looks);

    WAIT_UNTIL(kill(getpid(), SIGHUP) == 0 && atomic_load(&program->looks) >= before + 2);
}

static bool in_force(struct program *program, const char *text)
{
    pthread_mutex_lock(&program->mutex);
    const bool same = strcmp(program->in_force, text) == 0;
    pthread_mutex_unlock(&program->mutex);
    return same;
}

static bool has_problem(struct program *program, const char *words)
{
    struct buf text;

    buf_init(&text, 4096);
    reread_problem(program->reread, &text);
    const bool has = *words == '\0' ? text.len == 0 : text.data && strstr(text.data, words);
    buf_clear(&text);
    return has;
}

static void sighup_takes_what_can_be_used_and_names_what_cannot(void **state)
{
    static const struct {
        const char *name;
        const char *config, *keys; /* the files; NULL: away */
        const char *in_force, *problem;
    } steps[] = { /* one file at a time, for each may be read at any moment */
        {"nothing has changed", "SAMPLE_OTHERS=x\n", "a\n", "a:1 x:1 old", ""},
        {"two keys", "SAMPLE_OTHERS=x\n", "b\na\n", "b:2 x:1 old", ""},
        {"no file", "SAMPLE_OTHERS=x\n", NULL, "b:2 x:1 old", "SAMPLE_KEYS_FILE: "},
        {"still no file, but other others", "SAMPLE_OTHERS=y\n", NULL, "b:2 y:1 old", "SAMPLE_KEYS_FILE: "},
        {"an empty file", "SAMPLE_OTHERS=y\n", "", "b:2 y:1 old", "is empty"},
        {"an empty line", "SAMPLE_OTHERS=y\n", "\n", "b:2 y:1 old", "holds no secret"},
        {"a key that the program refuses", "SAMPLE_OTHERS=y\n", "forbidden\n", "b:2 y:1 old", "that is forbidden"},
        {"mended", "SAMPLE_OTHERS=y\n", "c\n", "c:1 y:1 old", ""},
        {"a line of nonsense", "SAMPLE_OTHERS=q\nnonsense\n", "c\n", "c:1 y:1 old", "line 2"},
        {"no config file", NULL, "c\n", "c:1 y:1 old", "--config"},
        {"a level that there is not", "LOG_LEVEL=loud\nSAMPLE_OTHERS=z\n", "c\n", "c:1 z:1 old", "LOG_LEVEL must be"},
        {"what is not read again", "AMQP_QUEUE=new\nSAMPLE_OTHERS=z\n", "c\n", "c:1 z:1 old", ""},
        {"without the others", "AMQP_QUEUE=new\n", "c\n", "c:1 :0 old", ""},
    };
    struct program program;

    (void)state;
    begin(&program, true);
    for (size_t i = 0; i < COUNT(steps); i++) {
        put(program.config, steps[i].config);
        put(program.keys_file, steps[i].keys);
        hang_up(&program);
        CHECK_CASE(steps[i].name, has_problem(&program, steps[i].problem));
        CHECK_CASE(steps[i].name, in_force(&program, steps[i].in_force));
    }
    end(&program);
}

static void a_file_that_changes_is_read_without_a_signal(void **state)
{
    struct program program;

    (void)state;
    begin(&program, true);
    put(program.keys_file, "b\n");
    WAIT_UNTIL(in_force(&program, "b:1 x:1 old"));
    put(program.keys_file, NULL);
    WAIT_UNTIL(has_problem(&program, "SAMPLE_KEYS_FILE: "));
    put(program.keys_file, "b\n");
    WAIT_UNTIL(has_problem(&program, ""));
    end(&program);
}

static void the_level_of_the_log_changes(void **state)
{
    struct program program;

    (void)state;
    begin(&program, true);
    put(program.config, "LOG_LEVEL=debug\n");
    hang_up(&program);
    assert_true(log_enabled(LOG_LEVEL_DEBUG));
    put(program.config, "LOG_LEVEL=warn\n");
    hang_up(&program);
    assert_false(log_enabled(LOG_LEVEL_INFO));
    end(&program);
}

static bool url_is(struct program *program, const char *url)
{
    char *text = reread_text(program->reread, "SAMPLE_URL");
    const bool same = text && strcmp(text, url) == 0 && strcmp(program->values.url, "none") == 0;

    reread_text_free(text);
    return same;
}

static void who_connects_is_told_the_present_text(void **state)
{
    static const struct {
        const char *name, *config, *url;
    } steps[] = {
        {"not given", "SAMPLE_OTHERS=x\n", "none"},
        {"given", "SAMPLE_URL=first\n", "first"},
        {"another", "SAMPLE_URL=second\n", "second"},
        {"beside a line of nonsense", "SAMPLE_URL=third\nnonsense\n", "second"},
        {"not given again", "SAMPLE_OTHERS=x\n", "none"},
    };
    struct program program;

    (void)state;
    begin(&program, true);
    for (size_t i = 0; i < COUNT(steps); i++) {
        put(program.config, steps[i].config);
        hang_up(&program);
        CHECK_CASE(steps[i].name, url_is(&program, steps[i].url));
    }
    assert_null(reread_text(program.reread, "AMQP_QUEUE"));
    end(&program);
}

static void it_may_be_stopped_at_any_moment(void **state)
{
    struct program program;

    (void)state;
    for (int i = 0; i < 50; i++) {
        begin(&program, i % 2 == 0);
        end(&program);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sighup_takes_what_can_be_used_and_names_what_cannot),
        cmocka_unit_test(a_file_that_changes_is_read_without_a_signal),
        cmocka_unit_test(the_level_of_the_log_changes),
        cmocka_unit_test(who_connects_is_told_the_present_text),
        cmocka_unit_test(it_may_be_stopped_at_any_moment),
    };

    stop_signal_ignore_others();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
