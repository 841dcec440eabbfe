"""Parts of `benchmarks.screen_accuracy`: what is compared with the truth, and how it is summed up."""
