# embed_files(TARGET SYMBOL FILE…): compiles the FILEs, joined in the order given, into TARGET as `const char SYMBOL[]`
# (NUL-terminated) and `const unsigned long SYMBOL_length`.
set(EMBED_FILE_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/EmbedFileScript.cmake)
function(embed_files target symbol)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE inputs)
  # A list in a -D would fall apart at its semicolons.
  list(JOIN inputs "|" joined)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} "-DINPUTS=${joined}" -DOUTPUT=${output} -DSYMBOL=${symbol} -P ${EMBED_FILE_SCRIPT}
    DEPENDS ${inputs} ${EMBED_FILE_SCRIPT}
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
