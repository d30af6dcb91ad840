"""The mouth's network that avatars start from: gather tracks of several people, train on them, measure on others."""
