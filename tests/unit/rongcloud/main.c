/* The tests of the room rongcloud. */
int test_golden(void);

int main(void)
{
    int failed = 0;

    failed += test_golden();
    return failed;
}
