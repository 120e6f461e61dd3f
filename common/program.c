#include "program.h"

#include "buf.h"
#include "env_config.h"
#include "error.h"
#include "health_probe.h"
#include "log.h"
#include "stop_signal.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { HELP_LIMIT = 64 * 1024 };

static int print_help(const struct program *program)
{
    struct buf text;
    buf_init(&text, HELP_LIMIT);
    buf_append_text(&text, program->help);
    config_print_help(program->rows, program->row_count, &text);
    bool whole = !text.overflow && text.data;
    if (whole)
        fputs(text.data, stdout);
    buf_clear(&text);
    return whole ? 0 : error_exit_status(ERROR_NO_MEMORY);
}

static const void *value_of(const struct program *program, const void *config, const char *name)
{
    size_t row = 0;
    while (strcmp(program->rows[row].name, name) != 0)
        row++;
    return (const char *)config + program->rows[row].offset;
}

static int load(const struct program *program, void *config, const struct config_arguments *arguments)
{
    struct config_report report;
    config_report_init(&report);
    bool good = program->load(arguments->config_file, environ, config, &report);
    int exit_status = error_exit_status(config_verdict(&report, good, arguments));
    const int *level = value_of(program, config, "LOG_LEVEL");
    const int *format = value_of(program, config, "LOG_FORMAT");
    log_init(program->name, (enum log_level)*level, (enum log_format)*format);
    /* Of what is only doubtful, the one that is asked for its health has spoken. */
    config_report_log(&report, !arguments->health);
    config_report_clear(&report);
    return exit_status;
}

int program_fail(const struct error *error)
{
    log_error("%s", error->text);
    return error_exit_status(error->code);
}

int program_main(const struct program *program, void *config, size_t size, int argc, char **argv)
{
    struct config_arguments arguments;
    struct error error = {0};
    struct reread *reread;

    stop_signal_ignore_others();
    /* Its memory will hold secrets: no core dump, and none of the same user reads it by /proc or ptrace. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    if (!config_arguments_read(argc, argv, &arguments, &error)) {
        fprintf(stderr, "%s: %s\n", program->name, error.text);
        return error_exit_status(error.code);
    }
    if (arguments.help)
        return print_help(program);
    if (arguments.version) {
        printf("%s %s\n", program->name, DROPBRIDGE_VERSION);
        return 0;
    }
    reread = reread_new(program->rows, program->row_count, arguments.config_file, config, size);
    if (!reread)
        return error_exit_status(ERROR_NO_MEMORY);
    int exit_status = load(program, config, &arguments);
    char *const *admin_listen = value_of(program, config, "ADMIN_LISTEN");
    if (exit_status == 0 && arguments.health) {
        exit_status = health_report(*admin_listen);
    } else if (exit_status == 0 && !arguments.check_config) {
        stop_signal_init();
        (void)mallopt(M_MMAP_THRESHOLD, program->mmap_from);
        exit_status = program->run(config, reread);
    }
    reread_free(reread);
    config_clear(program->rows, program->row_count, config);
    return exit_status;
}
