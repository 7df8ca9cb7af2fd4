/* The tests of the room easemob. */
int test_golden(void);

int main(void)
{
    int failed = 0;

    failed += test_golden();
    return failed;
}
