"""The ground floor: records, run folders, engines, the stage runner, and the command."""
