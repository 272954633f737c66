"""Training and testing of Sa2VA through mmengine: `fine_tuning`, `test_route`, and their configs."""
