/* What dropctl campaigns may be asked for. */
#include "tools/campaign_aliases.h"

#include "cases.h"

#include <string.h>

enum { WORDS = 6 };

#define LETTERS_64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    const char *name;
    const char *words[WORDS];
    enum alias_action action;
    const char *id, *campaign;
} asked[] = {
    {"an alias", {"campaigns", "alias", "V", "spring"}, ALIAS_SET, "V", "spring"},
    {"names of all letters there are", {"campaigns", "alias", "a.B_1-", "0"}, ALIAS_SET, "a.B_1-", "0"},
    {"an id of bodies, as it stands in the keys", {"campaigns", "alias", "Spring%20sale%2F%C3%BC", "%2E%2E"}, ALIAS_SET,
     "Spring%20sale%2F%C3%BC", "%2E%2E"},
    {"64 letters", {"campaigns", "alias", LETTERS_64, "a"}, ALIAS_SET, LETTERS_64, "a"},
    {"names that differ in case", {"campaigns", "alias", "Spring", "spring"}, ALIAS_SET, "Spring", "spring"},
    {"a removal", {"campaigns", "alias", "--remove", "V"}, ALIAS_REMOVE, "V", NULL},
    {"a list", {"campaigns", "alias", "--list"}, ALIAS_LIST, NULL, NULL},
};

static const struct {
    const char *name;
    const char *words[WORDS];
    const char *says;
} refused[] = {
    {"no words", {"campaigns"}, "alias ID NAME"},
    {"no names", {"campaigns", "alias"}, "alias ID NAME"},
    {"one name", {"campaigns", "alias", "V"}, "alias ID NAME"},
    {"three names", {"campaigns", "alias", "V", "W", "X"}, "alias ID NAME"},
    {"another subcommand", {"campaigns", "merge", "V", "W"}, "alias ID NAME"},
    {"a list of one", {"campaigns", "alias", "--list", "V"}, "alias ID NAME"},
    {"an option that is none", {"campaigns", "alias", "V", "--force"}, "alias ID NAME"},
    {"the removal of nothing", {"campaigns", "alias", "--remove"}, "alias ID NAME"},
    {"a space", {"campaigns", "alias", "a b", "spring"}, "\"a b\" is no campaign"},
    {"a space in the other name", {"campaigns", "alias", "spring", "a b"}, "\"a b\" is no campaign"},
    {"a space in what is removed", {"campaigns", "alias", "--remove", "a b"}, "\"a b\" is no campaign"},
    {"nothing", {"campaigns", "alias", "", "spring"}, "\"\" is no campaign"},
    {"65 letters", {"campaigns", "alias", LETTERS_64 "x", "spring"}, "is no campaign"},
    {"a dot", {"campaigns", "alias", ".", "spring"}, "is no campaign"},
    {"two dots", {"campaigns", "alias", "..", "spring"}, "is no campaign"},
    {"a slash", {"campaigns", "alias", "a/b", "spring"}, "is no campaign"},
    {"a bar", {"campaigns", "alias", "a|b", "spring"}, "is no campaign"},
    {"half an escape", {"campaigns", "alias", "a%2", "spring"}, "is no campaign"},
    {"an escape in small letters", {"campaigns", "alias", "a%2f", "spring"}, "is no campaign"},
    {"a letter of another script", {"campaigns", "alias", "\xc3\xbc", "spring"}, "is no campaign"},
    {"what has no campaign, as an id", {"campaigns", "alias", "unassigned", "spring"}, "\"unassigned\" is no campaign"},
    {"what has no campaign, as a name", {"campaigns", "alias", "V", "unassigned"}, "\"unassigned\" is no campaign"},
    {"itself", {"campaigns", "alias", "V", "V"}, "\"V\" cannot be an alias of itself"},
};

static bool read_words(const char *const words[WORDS], struct alias_request *request, struct error *error)
{
    char *argv[WORDS];
    int argc = 0;

    for (; argc < WORDS && words[argc]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc];
    return alias_request_read(argc, argv, request, error);
}

static bool same_text(const char *is, const char *expected)
{
    return is == expected || (is && expected && strcmp(is, expected) == 0);
}

static void reads_what_is_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(asked); i++) {
        struct alias_request request;
        struct error error;

        CHECK_CASE(asked[i].name, read_words(asked[i].words, &request, &error));
        CHECK_CASE(asked[i].name, request.action == asked[i].action);
        CHECK_CASE(asked[i].name, same_text(request.id, asked[i].id) && same_text(request.name, asked[i].campaign));
    }
}

static void refuses_what_cannot_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct alias_request request = {.id = "untouched"};
        struct error error = {.text = ""};

        CHECK_CASE(refused[i].name, !read_words(refused[i].words, &request, &error));
        CHECK_CASE(refused[i].name, error.code == ERROR_USAGE && strstr(error.text, refused[i].says) != NULL);
        CHECK_CASE(refused[i].name, strcmp(request.id, "untouched") == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_asked_for),
        cmocka_unit_test(refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
