"""The engine `vllm:`: offline vLLM in a supervised process of its own."""
