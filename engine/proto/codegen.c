/* A static library needs one object; the work of this project is its prebuild step, codegen.sh. */
int mt_codegen_anchor(void);

int mt_codegen_anchor(void)
{
    return 0;
}
