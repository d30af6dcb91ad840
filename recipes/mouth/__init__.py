"""The inside of the mouth: gather patches of filmed mouths, train the network, measure it on strangers."""
