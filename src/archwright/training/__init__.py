"""The one training loop, its augmentation and its seeding."""
