# SPDX-License-Identifier: GPL-2.0-only
"""What scripts/check-kvm is made of; main.py is the way in."""
