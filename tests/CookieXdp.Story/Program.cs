using CookieXdp.Lab;
using CookieXdp.Story;

// 0: everything was seen to be as told. 1: something was not. 130: interrupted before the end.
var narrator = new Narrator(Console.Out);
using var interruption = new Interruption();
try
{
    narrator.Title("CookieXdp: one mail arrives, and those who never asked the DNS find nobody at home");
    await using var play = await Play.OpenAsync(narrator, interruption.Token);
    try
    {
        await play.PerformAsync();
        narrator.Say($"The end: all of it was seen to be so, in {narrator.Elapsed.TotalSeconds:0} seconds.");
        if (LabSurroundings.Keep)
            await new Encore(narrator, play.Stage).StayAsync(interruption.Token);
        return 0;
    }
    catch (Exception error) when (error is not OperationCanceledException)
    {
        play.Stage.Folder.Keep = true;
        narrator.Fail(error.Message);
        narrator.Say(play.Stage.Tails());
        narrator.Say($"Everything it wrote is in {play.Stage.Folder.Path}");
        return 1;
    }
}
catch (Exception error) when (error is not OperationCanceledException)
{
    narrator.Fail(error.Message);
    return 1;
}
catch (OperationCanceledException)
{
    narrator.Say("Interrupted; the stage is taken down.");
    return 130;
}
