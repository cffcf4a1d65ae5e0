# SPDX-License-Identifier: GPL-2.0-only
# gmem. `make` builds gmem.ko for the running kernel, for KDIR=<headers>, or for one of
# Debian's kernels by its name, KREL=trixie-7.3 (scripts/lib.sh lists the names); `make
# help` lists the rest. What needs packages, kernels or a test VM calls scripts/deps
# first, which does nothing when nothing is missing. V=1 shows the commands.

KREL =
KDIR ?= /lib/modules/$(shell uname -r)/build
RELEASE = $(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null)
BUILD = $(CURDIR)/build/$(RELEASE)
# n: without what is for tests only, from a tree that need not have it.
GMEM_TESTS = y
ROOMS := gmem mmu arch guest kapi include view $(if $(filter y,$(GMEM_TESTS)),kunit selftests/kmod)
Q := $(if $(V),,@)
# y: with types of the core for a debugger of dumps (docs/tracing.md), of which no BTF can be made.
GMEM_DEBUG_INFO =
WITHOUT_BTF = $(if $(filter y,$(GMEM_DEBUG_INFO)),CONFIG_DEBUG_INFO_BTF_MODULES=)
# kvm.ko of the kernel, where it is not among this machine's modules; or none.
KVM_KO =

module: ## gmem.ko for KDIR or KREL, as build/<kernel release>/gmem.ko
ifneq ($(KREL),)
	@scripts/deps $(KREL)
	@kdir=$$(scripts/kernel-dir $(KREL)) && $(MAKE) --no-print-directory module KREL= KDIR=$$kdir
else
	@test -e $(KDIR)/include/config/kernel.release || { \
		echo "$(KDIR): no kernel headers there. Install linux-headers-$$(uname -r), or say" \
			"KDIR=<headers>, or KREL=stock for one of Debian's kernels" >&2; exit 1; }
	@mkdir -p $(BUILD)
	@flock $(BUILD)/.lock $(MAKE) --no-print-directory module-alone
endif

# One build of a kernel's at a time, whoever else needs it.
module-alone:
	@scripts/check-build $(KDIR) $(RELEASE) $(BUILD) $(KVM_KO)
	@cp -rsf $(addprefix $(CURDIR)/,$(ROOMS)) $(CURDIR)/Kbuild $(CURDIR)/VERSION $(BUILD)/
	@find $(BUILD) -xtype l -delete
ifeq ($(GMEM_TESTS),y)
	@sed -n '/^```c$$/,/^```$$/{/^```/!p}' docs/consumers.md >$(BUILD)/kmod/gmem_example.new
	@cd $(BUILD)/kmod && { cmp -s gmem_example.new gmem_example.c || cp gmem_example.new gmem_example.c; }
endif
	$(Q)scripts/in-chroot $(KDIR) $(MAKE) --no-print-directory -C $(KDIR) M=$(BUILD) GMEM_TESTS=$(GMEM_TESTS) $(WITHOUT_BTF) modules

load: module ## insmod gmem.ko on this host (ARGS="backend=stock huge=never ...")
	modprobe kvm
	insmod $(BUILD)/gmem.ko $(ARGS)

unload: ## rmmod it
	rmmod gmem

selftests: ## our own test programs, as build/selftests/*
	@$(MAKE) --no-print-directory -C selftests

firmware: ## a small firmware for QEMU's SNP guests, as build/firmware/*
	@$(MAKE) --no-print-directory -C selftests/firmware

demo: deps ## boot a stock kernel, or KREL, load gmem.ko, run a VM on it
	@echo "building the programs, booting, loading gmem.ko ..."
	$(Q)$(MAKE) $(if $(V),,-s) --no-print-directory -C selftests
	$(Q)scripts/vm $(if $(filter intel,$(KREL)),--cpu intel,--kernel $(or $(KREL),stock)) \
		--module --add build/selftests/demo -- /add/demo /vm/gmem.ko

demo-snp-aware: deps ## SNP guests that know it: OVMF and Linux
	@scripts/demo-snp-aware

demo-snp: deps ## SNP guests of unmodified QEMU, where no SNP is
	@scripts/demo-snp

test: deps ## everything that takes minutes; ends in "N passed, N failed"
	@scripts/test

test-long: deps ## the rest: hours
	@scripts/test --long

deb: ## packages for Debian: gmem-dkms and gmem-tools, as build/deb/<suite>/*.deb
	@scripts/deb

bench: deps ## ours against the stock backend, on one kernel in one boot
	@scripts/bench

lint: deps ## formatters, analysers and style checkers over the tree
	@scripts/lint

kernels: ## what has changed in Debian's newest kernels since docs/kernels/ was written
	@scripts/kernels

deps:
	@scripts/deps $(KREL)

clean: ## drop build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

-include kunit/Makefile tools/Makefile

.PHONY: module module-alone load unload selftests firmware demo demo-snp demo-snp-aware test test-long deb bench lint kernels deps clean help
