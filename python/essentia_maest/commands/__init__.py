"""The command `maest`: arguments, sub-commands, exit codes."""
