"""Tests of the public interface and of the code structure."""
