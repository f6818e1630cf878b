// Two cores carry kernel and test alike: tests that count every frame do not share them.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
