/* The tests of the room rongcloud. */
int test_golden(void);
int test_link(void);

int main(void)
{
    int failed = 0;

    failed += test_golden();
    failed += test_link();
    return failed;
}
