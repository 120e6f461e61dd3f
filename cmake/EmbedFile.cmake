# embed_file(TARGET SYMBOL FILE): compiles FILE into TARGET as `const char SYMBOL[]` (NUL-terminated) and
# `const unsigned long SYMBOL_length`.
set(EMBED_FILE_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/EmbedFileScript.cmake)
function(embed_file target symbol file)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${CMAKE_CURRENT_SOURCE_DIR}/${file} -DOUTPUT=${output} -DSYMBOL=${symbol}
            -P ${EMBED_FILE_SCRIPT}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${EMBED_FILE_SCRIPT}
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
