string(REPLACE "|" ";" inputs "${INPUTS}")
set(hex "")
foreach(input IN LISTS inputs)
  file(READ ${input} part HEX)
  string(APPEND hex "${part}")
endforeach()
string(LENGTH "${hex}" digits)
math(EXPR length "${digits} / 2")
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "(char)0x\\1," hex "${hex}")
file(WRITE ${OUTPUT}
  "extern const char ${SYMBOL}[];\nextern const unsigned long ${SYMBOL}_length;\n"
  "const char ${SYMBOL}[] = {\n${hex}0};\nconst unsigned long ${SYMBOL}_length = ${length};\n")
