# Writes the bytes of the file IN as kReportSource into the C++ file OUT.
file(READ ${IN} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "#include \"protos/report_source.h\"\n\nnamespace tidemark {\n\n"
  "const unsigned char kReportSource[] = {\n${bytes}};\nconst std::size_t kReportSourceSize = sizeof kReportSource;\n\n"
  "}  // namespace tidemark\n")
