"""Devices and processes: accelerate, replicated or sharded or divided parameters, memory."""
