"""The commands, one file each: options, one library call, save. Heavy imports wait until they run."""
