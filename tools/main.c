/* dropctl: the operator's command. One file a subcommand. */
#include "common/log.h"
#include "callback_url.h"
#include "campaign_aliases.h"
#include "send.h"
#include "tool_config.h"
#include "verify.h"

#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    const char *settings; /* what the names of those that it uses begin with */
    const char *usage;
    const char *summary;
    const char *details; /* for its own --help */
    int (*run)(const struct tool_config *config, int argc, char **argv);
} commands[] = {
    {"callback-url", "CALLBACK_", "--base URL [--campaign NAME] [--path-token]",
     "prints the callback_url to give the vendor",
     "  --base URL       what the vendor reaches the bridge by: https://hooks.example.com\n"
     "  --campaign NAME  count what comes there under this campaign: 1 to 64 of A-Z a-z 0-9 . _ -\n"
     "  --path-token     the token in the path, for senders that drop the query; needs --campaign\n\n"
     "The first secret of CALLBACK_SECRET mints the token, or the first key of the campaign in\n"
     "CALLBACK_CAMPAIGN_SECRETS: the bridge must have it too.\n",
     callback_url_run},
    {"campaigns", "REDIS_", "alias ID NAME | alias --remove ID | alias --list",
     "makes one campaign of what comes under two names",
     "  alias ID NAME      what comes under ID counts under NAME from now on; what was counted is merged\n"
     "  alias --remove ID  ID is a campaign of its own from now on; what was merged stays where it is\n"
     "  alias --list       the aliases, and pairs of names that the same drops came under: perhaps one campaign\n\n"
     "A merge cannot be taken apart again. Workers may go on meanwhile. ID and NAME as they stand in the keys of\n"
     "Redis: 1 to 64 of A-Z a-z 0-9 . _ -, and other bytes of ids in bodies as %XX.\n",
     campaign_aliases_run},
    {"send", "WEBHOOK_", "--url URL --scheme guide|v1|callback [--lines] FILE...",
     "posts each FILE (- is stdin) as one event, or each line of it",
     "  --url URL        the bridge's route: http://127.0.0.1:8080/webhook, or what callback-url printed\n"
     "  --scheme SCHEME  guide: X-DropCowboy-Signature; v1: X-Signature and X-Timestamp;\n"
     "                   callback: no signature, the token is in the URL\n"
     "  --lines          each line that is not empty is an event\n"
     "  --               only files follow\n\n"
     "The first secret of WEBHOOK_SECRET signs. Every FILE is checked before the first event is posted.\n"
     "Exit status: 0 if every answer was 2xx, 1 if not, 69 if there was no connection.\n",
     send_run},
    {"verify", "REDIS_", "[--repair [--lost CAMPAIGN] [--lower]]",
     "checks that the counts in Redis add up, and restores those that others tell",
     "  --repair  restores what follows from other keys, even while workers count; lowers no count\n"
     "  --lost CAMPAIGN\n"
     "            what the totals have more than the campaigns was this one's\n"
     "  --lower   also lowers counts that are too high, and accepts the loss of those that no other key tells\n\n"
     "Prints a line for each count that is wrong: what it holds, what it should hold and how that is known.\n"
     "Exit status: 0 if all adds up in the end, 1 if something is wrong, 69 if Redis is not there.\n",
     verify_run},
};

enum { COMMANDS = sizeof commands / sizeof commands[0], HELP_LIMIT = 16 * 1024 };

static void print_help(void)
{
    struct tool_settings settings;
    struct buf text;

    tool_settings_select("", &settings);
    buf_init(&text, HELP_LIMIT);
    (void)buf_append_text(&text, "usage: dropctl [--config FILE] COMMAND ...\n"
                                 "       dropctl COMMAND --help\n"
                                 "       dropctl --help | --version | [--config FILE] --check-config\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        (void)buf_printf(&text, "  dropctl %s %s\n      %s\n", commands[i].name, commands[i].usage,
                         commands[i].summary);
    (void)buf_append_text(&text, "\nSettings, from the environment or from --config FILE (KEY=VALUE lines):\n");
    config_print_help(settings.rows, settings.count, &text);
    (void)fputs(text.data ? text.data : "", stdout);
    buf_clear(&text);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    }
    return NULL;
}

static void print_command_help(const struct command *command)
{
    struct tool_settings settings;
    struct buf text;

    tool_settings_select(command->settings, &settings);
    buf_init(&text, HELP_LIMIT);
    (void)buf_printf(&text, "usage: dropctl [--config FILE] %s %s\n\n%s.\n\n%s\nSettings:\n", command->name,
                     command->usage, command->summary, command->details);
    config_print_help(settings.rows, settings.count, &text);
    (void)fputs(text.data ? text.data : "", stdout);
    buf_clear(&text);
}

/* Whether --help is among the words of a command; behind "--" it is a file. */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return true;
    }
    return false;
}

/* Where the options common to all programs end and a command begins. */
static int command_index(int argc, char **argv)
{
    int i = 1;
    while (i < argc && argv[i][0] == '-')
        i += strcmp(argv[i], "--config") == 0 ? 2 : 1;
    return i < argc ? i : argc;
}

/* What the names of the settings that a command uses begin with. A callback is not signed: its token is in the URL. */
static const char *settings_of(const struct command *command, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--scheme") == 0 && strcmp(argv[i + 1], "callback") == 0)
            return "LOG_";
    }
    return command->settings;
}

static int run(const struct config_arguments *arguments, const struct command *command, int argc, char **argv)
{
    struct tool_config config = {0};
    struct tool_settings settings;
    struct config_report report;
    int status = error_exit_status(ERROR_CONFIG);

    config_report_init(&report);
    tool_settings_select(command ? settings_of(command, argc, argv) : "", &settings);
    const bool ok = tool_config_load(&settings, arguments->config_file, &config, &report);
    if (report.warnings.len > 0)
        (void)fputs(report.warnings.data, stderr);
    if (report.problems.len > 0)
        (void)fputs(report.problems.data, stderr);
    if (ok) {
        log_init("dropctl", (enum log_level)config.log_level, (enum log_format)config.log_format);
        status = arguments->check_config ? 0 : command->run(&config, argc, argv);
    }
    tool_config_clear(&config);
    config_report_clear(&report);
    return status;
}

int main(int argc, char **argv)
{
    const int at = command_index(argc, argv);
    struct config_arguments arguments;
    struct error error = {.code = ERROR_NONE};
    const struct command *command = at < argc ? find_command(argv[at]) : NULL;

    if (!config_arguments_read(at, argv, &arguments, &error)) {
        (void)fprintf(stderr, "dropctl: %s\n", error.text);
    } else if (arguments.health) {
        error_set(&error, ERROR_USAGE, "--health is for dropbridge and dropworker: dropctl runs nothing to ask");
        (void)fprintf(stderr, "dropctl: %s\n", error.text);
    } else if (arguments.help) {
        print_help();
    } else if (arguments.version) {
        (void)printf("dropctl %s\n", DROPBRIDGE_VERSION);
    } else if (!command && (!arguments.check_config || at < argc)) {
        if (at < argc)
            error_set(&error, ERROR_USAGE, "\"%.100s\" is no command; --help lists them", argv[at]);
        else
            error_set(&error, ERROR_USAGE, "a command is needed; --help lists them");
        (void)fprintf(stderr, "dropctl: %s\n", error.text);
    } else if (command && asks_for_help(argc - at, argv + at)) {
        print_command_help(command);
    } else {
        return run(&arguments, command, argc - at, argv + at);
    }
    return error_exit_status(error.code);
}
