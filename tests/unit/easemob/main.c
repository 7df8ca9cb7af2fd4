/* The tests of the room easemob. */
int test_decode(void);
int test_faults(void);
int test_golden(void);
int test_parse(void);

int main(void)
{
    int failed = 0;

    failed += test_golden();
    failed += test_decode();
    failed += test_parse();
    failed += test_faults();
    return failed;
}
