"""The face rig, learned from films and photographs and drawn by hand where those show nothing."""
