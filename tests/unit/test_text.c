/* Texts compared without what does not matter. */
#include "common/text.h"

#include "cases.h"
#include "common/limits.h"

#include <stdlib.h>
#include <string.h>

static void folding_leaves_the_words(void **state)
{
    static const struct {
        const char *text, *folded;
    } rows[] = {
        {"No Funds", "no funds"},
        {"  No \t\r\n Funds \v\f", "no funds"},
        {"NO_FUNDS", "no funds"},
        {"no-funds.", "no funds"},
        {"...no._-funds", "no funds"},
        {"\"No funds!\"", "no funds"},
        {"audio_url (not allowed)", "audio url not allowed"},
        {"Don't", "dont"},
        {"'STOP'", "stop"},
        {"E.164", "e 164"},
        {"L\xc3\xadnea", "l\xc3\xadnea"},
        {"\xc3\x84", "\xc3\x84"}, /* ASCII letters only */
        /* as telephones write them */
        {"\xe2\x80\x9cNo\xc2\xa0""Funds\xe2\x80\x9d\xe2\x80\xa6", "no funds"},
        {"no\xe2\x80\x91""funds\xe2\x81\xaf", "no funds"},
        {"\xef\xbb\xbfno\xe3\x80\x80""funds", "no funds"},
        {"Don\xe2\x80\x99t \xe2\x80\x98stop\xe2\x80\x99", "dont stop"},
        {"a\xe2\x81\xb0""b", "a\xe2\x81\xb0""b"}, /* U+2070 is a digit */
        {"a\xc2\xa1""b", "a\xc2\xa1""b"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[TEXT_FOLDED];
        CHECK_CASE(rows[i].text, text_fold(bytes_of_text(rows[i].text), out));
        CHECK_CASE(rows[i].text, strcmp(out, rows[i].folded) == 0);
    }
}

static void every_punctuation_mark_parts_words_but_the_apostrophe(void **state)
{
    static const char marks[] = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~ \t\n\v\f\r";
    (void)state;
    for (unsigned byte = 1; byte < 256; byte++) {
        char text[] = {'a', (char)byte, 'b', '\0'};
        char out[TEXT_FOLDED];
        assert_true(text_fold(bytes_of_text(text), out));
        assert_int_equal(strcmp(out, "a b") == 0, strchr(marks, (char)byte) != NULL);
        assert_int_equal(strlen(out), byte == '\'' ? 2 : 3);
    }
}

static void what_is_empty_or_too_long_does_not_fold(void **state)
{
    char out[TEXT_FOLDED];
    char text[2 * TEXT_FOLDED];
    (void)state;
    assert_false(text_fold(bytes_of(NULL, 0), out));
    assert_string_equal(out, "");
    assert_false(text_fold(bytes_of_text(" .-' "), out));
    assert_string_equal(out, "");
    memset(text, 'x', sizeof text);
    assert_true(text_fold(bytes_of(text, TEXT_FOLDED - 1), out));
    assert_int_equal(strlen(out), TEXT_FOLDED - 1);
    assert_false(text_fold(bytes_of(text, TEXT_FOLDED), out));
    assert_int_equal(strlen(out), TEXT_FOLDED - 1); /* its beginning */
    text[TEXT_FOLDED - 2] = ' ';
    assert_false(text_fold(bytes_of(text, TEXT_FOLDED), out));
    assert_int_equal(strlen(out), TEXT_FOLDED - 2);
    memset(text + TEXT_FOLDED - 2, ' ', TEXT_FOLDED);
    assert_true(text_fold(bytes_of(text, 2 * TEXT_FOLDED - 2), out));
}

static void a_nul_is_a_letter_like_no_other(void **state)
{
    char out[TEXT_FOLDED];
    (void)state;
    assert_true(text_fold(bytes_of("stop\0", 5), out));
    assert_string_equal(out, "stop\1");
    assert_true(text_fold(bytes_of("\0", 1), out));
    assert_string_equal(out, "\1");
}

static void whole_words_are_found_and_parts_are_not(void **state)
{
    static const struct {
        const char *folded, *words;
        bool held;
    } rows[] = {
        {"stop", "stop", true},
        {"please stop now", "stop", true},
        {"stop now", "stop", true},
        {"now stop", "stop", true},
        {"nonstop", "stop", false},
        {"stopped", "stop", false},
        {"unstop stopped stop", "stop", true},
        {"user opted out", "opted out", true},
        {"user opted outside", "opted out", false},
        {"adopted out", "opted out", false},
        {"opted user out", "opted out", false},
        {"", "stop", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_CASE(rows[i].folded, folded_holds(rows[i].folded, rows[i].words) == rows[i].held);
    assert_int_equal(folded_count(""), 0);
    assert_int_equal(folded_count("one"), 1);
    assert_int_equal(folded_count("one two three"), 3);
}

static void letter_case_does_not_matter_to_beginnings_ends_and_parts(void **state)
{
    const struct bytes text = bytes_of_text("Contact.SMS.Status");
    (void)state;
    assert_true(text_is(text, "contact.sms.status"));
    assert_false(text_is(text, "contact.sms.statu"));
    assert_false(text_is(text, "contact.sms.status2"));
    assert_true(text_begins(text, "contact."));
    assert_false(text_begins(text, "ontact."));
    assert_false(text_begins(bytes_of_text("con"), "contact."));
    assert_true(text_ends(text, ".status"));
    assert_false(text_ends(text, ".statu"));
    assert_false(text_ends(bytes_of_text("us"), ".status"));
    assert_true(text_holds(text, "sms"));
    assert_true(text_holds(text, "status"));
    assert_false(text_holds(text, "rvm"));
    assert_false(text_holds(bytes_of(NULL, 0), "rvm"));
    assert_true(bytes_equal(text_trim(bytes_of_text(" \t\r\n\v\fa b \n")), bytes_of_text("a b")));
    assert_int_equal(text_trim(bytes_of_text(" \n ")).len, 0);
    assert_int_equal(text_trim(bytes_of(NULL, 0)).len, 0);
}

static void texts_are_cut_between_characters_and_show_nul(void **state)
{
    char out[LIMIT_RAW_TEXT + 1];
    (void)state;
    text_for_display(bytes_of("a\0b", 3), LIMIT_RAW_TEXT, out);
    assert_string_equal(out, "a\xef\xbf\xbd"
                             "b");
    text_for_display(bytes_of_text("ab\xc3\xa4"), 3, out);
    assert_string_equal(out, "ab");
    text_for_display(bytes_of_text("ab\xc3\xa4"), 4, out);
    assert_string_equal(out, "ab\xc3\xa4");
    text_for_display(bytes_of("ab\0", 3), 4, out);
    assert_string_equal(out, "ab");
    text_for_display(bytes_of(NULL, 0), 4, out);
    assert_string_equal(out, "");
    char *big = malloc(10000);
    assert_non_null(big);
    memset(big, 'x', 10000);
    text_for_display(bytes_of(big, 10000), LIMIT_RAW_TEXT, out);
    assert_int_equal(strlen(out), LIMIT_RAW_TEXT);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folding_leaves_the_words),
        cmocka_unit_test(every_punctuation_mark_parts_words_but_the_apostrophe),
        cmocka_unit_test(what_is_empty_or_too_long_does_not_fold),
        cmocka_unit_test(a_nul_is_a_letter_like_no_other),
        cmocka_unit_test(whole_words_are_found_and_parts_are_not),
        cmocka_unit_test(letter_case_does_not_matter_to_beginnings_ends_and_parts),
        cmocka_unit_test(texts_are_cut_between_characters_and_show_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
